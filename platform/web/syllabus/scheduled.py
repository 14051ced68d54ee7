"""The topics that have sessions, in the order of the published schedule. Data alone."""

from __future__ import annotations

from web.syllabus.topic import (
    ALPA,
    EFFICIENT_INFERENCE,
    FLASH_ATTENTION,
    GPTQ,
    MEGATRON,
    ORCA,
    VLLM,
    ZERO,
    Topic,
    autodiff,
    compression,
    inference,
)

BASICS = (
    Topic(
        "course-intro",
        ("Course intro",),
        modules=("workloads/gpt.py", "workloads/small_model.py", "workloads/text.py"),
        pages=("README", "papers"),
    ),
    Topic(
        "dl-workloads",
        ("DL workloads",),
        modules=(
            "workloads/operations.py",
            "workloads/accounting.py",
            "workloads/devices.py",
            "workloads/roofline.py",
            "workloads/catalogue.py",
            "workloads/resnet.py",
            "papers/megatron.py",
        ),
        pages=("workloads",),
        readings=(MEGATRON,),
        studies=("megatron-lm",),
        labs=(inference("8"),),
    ),
    Topic(
        "dl-frameworks",
        ("DL frameworks", "ML frameworks"),
        modules=("autodiff/tensor.py", "autodiff/nn", "autodiff/optim.py", "workloads/gpt_numpy.py"),
        pages=("autodiff", "static-graphs"),
        labs=(autodiff("7"),),
    ),
    Topic(
        "autodiff",
        ("AutoDiff",),
        modules=(
            "autodiff/tape.py",
            "autodiff/tensor.py",
            "autodiff/graph.py",
            "autodiff/ops",
            "autodiff/functional.py",
            "autodiff/check.py",
        ),
        pages=("autodiff",),
        labs=(autodiff("1", "2", "3"),),
    ),
)

DISTRIBUTED = (
    Topic(
        "overview-of-training",
        ("Overview of training",),
        modules=(
            "workloads/train.py",
            "workloads/accounting.py",
            "parallelism/volume.py",
            "parallelism/cluster.py",
            "papers/megatron.py",
        ),
        pages=("workloads", "meshes-and-checkpoints"),
        readings=(MEGATRON,),
        studies=("megatron-lm",),
        labs=(autodiff("7"),),
    ),
    Topic(
        "communication-collectives",
        ("Communication collectives",),
        modules=("parallelism/communication", "parallelism/collectives"),
        pages=("collectives",),
    ),
    Topic(
        "data-parallelism",
        ("Data parallelism",),
        modules=("parallelism/data_parallel.py", "parallelism/gradients.py", "parallelism/overlap.py"),
        pages=("data-parallelism",),
    ),
    Topic(
        "tensor-parallelism",
        ("Tensor parallelism",),
        modules=("parallelism/tensor",),
        pages=("tensor-parallelism",),
        readings=(MEGATRON,),
    ),
    Topic(
        "pipeline-parallelism",
        ("Pipeline parallelism",),
        modules=("parallelism/pipeline",),
        pages=("pipeline-parallelism",),
        readings=(MEGATRON,),
    ),
    Topic(
        "zero",
        ("ZeRO-style data parallelism",),
        modules=("parallelism/zero", "papers/zero.py"),
        pages=("zero",),
        readings=(ZERO,),
        studies=("zero",),
    ),
    Topic(
        "heterogeneous-gpu-cpu",
        ("Heterogeneous GPU-CPU", "Emerging CPU-GPU superchips"),
        modules=("parallelism/offload",),
        pages=("offloading",),
    ),
    Topic(
        "3d-parallelism",
        ("3D parallelism",),
        modules=("parallelism/mesh.py", "parallelism/three_d.py", "parallelism/cluster.py", "parallelism/timeline.py"),
        pages=("meshes-and-checkpoints",),
        readings=(MEGATRON,),
        studies=("megatron-lm",),
    ),
    Topic(
        "auto-parallelism",
        ("Auto parallelism",),
        modules=("parallelism/auto", "papers/alpa.py"),
        pages=("auto-parallelism",),
        readings=(ALPA,),
        studies=("alpa",),
    ),
    Topic(
        "mixed-precision",
        ("Mixed precision training",),
        modules=("autodiff/amp",),
        pages=("memory-and-precision",),
        labs=(autodiff("6"),),
    ),
    Topic(
        "communication-compression",
        ("Communication compression",),
        modules=("parallelism/compression",),
        pages=("communication-compression",),
    ),
)

INFERENCE = (
    Topic(
        "cuda-basics",
        ("CUDA basics",),
        modules=("kernels/basics", "kernels/launch.py", "kernels/meter.py", "kernels/shadow.py", "kernels/matmul"),
        pages=("kernels", "matmul-kernels"),
        labs=(inference("2", "3", "8"),),
    ),
    Topic(
        "flash-attention",
        ("FlashAttention",),
        modules=("kernels/attention", "papers/flash_attention.py"),
        pages=("flash-attention", "flash-attention-on-hopper"),
        readings=(FLASH_ATTENTION,),
        studies=("flash-attention",),
        labs=(inference("2", "3"),),
    ),
    Topic(
        "paged-attention",
        ("PagedAttention",),
        modules=("serving/blocks.py", "serving/pool.py", "serving/cache.py", "kernels/decode", "papers/vllm.py"),
        pages=("paged-attention", "serving"),
        readings=(VLLM,),
        studies=("vllm",),
        labs=(inference("1", "4"),),
    ),
    Topic(
        "continuous-batching",
        ("Continuous batching",),
        modules=(
            "serving/scheduler.py",
            "serving/sequence.py",
            "serving/engine.py",
            "serving/runner.py",
            "serving/simulator",
            "papers/orca.py",
        ),
        pages=("serving", "serving-simulator"),
        readings=(ORCA,),
        studies=("orca",),
        labs=(inference("5"),),
    ),
    Topic(
        "efficient-inference",
        ("Efficient scaling of transformer inference",),
        modules=("serving/layouts", "serving/tensor_parallel.py", "papers/efficient_inference.py"),
        pages=("inference-layouts",),
        readings=(EFFICIENT_INFERENCE,),
        studies=("efficient-inference",),
        labs=(inference("1", "8"),),
    ),
    Topic(
        "compilers",
        ("TVM and DL compiler",),
        modules=("compiler",),
        pages=("compilers", "fusion-and-tuning"),
        labs=(autodiff("4"),),
    ),
)

COMPRESSION = (
    Topic(
        "quantization",
        ("Quantization",),
        modules=("compression/quantization", "kernels/matmul/int4.py", "kernels/matmul/eight_bits.py"),
        pages=("quantization",),
        readings=(GPTQ,),
        studies=("gptq",),
        labs=(compression("1", "2", "3", "4"),),
    ),
    Topic(
        "sparsification",
        ("Sparsification",),
        modules=("compression/sparsity",),
        pages=("sparsity",),
        labs=(compression("5"),),
    ),
    Topic(
        "distillation",
        ("Distillation",),
        modules=("compression/distillation.py",),
        pages=("low-rank-and-lora",),
    ),
    Topic(
        "low-rank",
        ("Low-rank decomposition",),
        modules=("compression/low_rank",),
        pages=("low-rank-and-lora",),
        labs=(compression("6"),),
    ),
    Topic(
        "kv-cache-compression",
        ("KV cache compression",),
        modules=("compression/kv", "kernels/decode/write.py"),
        pages=("kv-compression",),
        labs=(compression("7"),),
    ),
)

MISC = (
    Topic(
        "moe",
        ("MoE", "Mixture of experts"),
        modules=("parallelism/moe", "kernels/matmul/grouped.py", "kernels/matmul/moe.py"),
        pages=("mixture-of-experts",),
    ),
    Topic("vector-db", ("Vector DB",), modules=("retrieval",), pages=("vector-search",)),
    Topic("rag", ("RAG",), modules=("retrieval/rag",), pages=("retrieval-augmented-generation",)),
)

SCHEDULED = (*BASICS, *DISTRIBUTED, *INFERENCE, *COMPRESSION, *MISC)
