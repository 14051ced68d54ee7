"""What a plan of dp × pp × tp costs on a cluster: bytes on a GPU, seconds in each kind of work, the best plan of all.

Idea      Tensor parallelism talks most, so it goes where links are fast; stages talk least; replicas talk once a step. Whether a
          group's messages leave a node follows from the ranks in it, and everything else is arithmetic.
Equation  T = (1 + (p-1)/(v m)) m (t_compute + t_tp + t_pp) + t_dp for m micro-batches, p stages, v chunks of layers a stage
Paper     D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using Megatron-LM", SC 2021,
          sections 3 and 5 (P, F, bubble, scatter/gather); V. Korthikanti et al., "Reducing activation recomputation in large
          transformer models", arXiv 2205.05198, section 4 (activations of a layer).
Cost      Pricing a plan is a few dozen operations; `best_plan` prices every factorisation of the number of GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlsys_core.papers import megatron
from mlsys_core.parallelism.communication import Fabric
from mlsys_core.parallelism.mesh import Mesh

HALF = 2  # bytes of an element in half precision
NVLINK = Fabric(alpha_s=5e-6, beta_s=1 / 300e9)  # third generation, each way
INFINIBAND = Fabric(alpha_s=10e-6, beta_s=1 / 25e9)  # HDR, 200 Gb/s, one adapter a GPU
STATE = 16  # bytes a parameter: weight 2, gradient 2, and in fp32 the weight and two moments of Adam


@dataclass(frozen=True)
class Transformer:
    """A GPT as Megatron-LM builds it: an inner width of 4 hidden, full recomputation of activations in the backward pass."""

    hidden: int
    layers: int
    heads: int
    vocabulary: int = 51200
    sequence: int = 2048

    @property
    def parameters(self) -> float:
        """P = 12 l h² (1 + 13/(12h) + (V+s)/(12lh))."""
        return megatron.parameters(self.layers, self.hidden, self.vocabulary, self.sequence)

    def flops(self, batch: int) -> float:
        """F = 96 B s l h² (1 + s/(6h) + V/(16lh)) of a step over `batch` sequences, recomputation included."""
        return megatron.step_flops(batch, self.layers, self.hidden, self.vocabulary, self.sequence)


@dataclass(frozen=True)
class Cluster:
    """Nodes of GPUs: peak FLOP/s and bytes of one, links inside a node and between nodes (each way, for one GPU).

    The defaults are Selene's: A100 with 80 GB, NVLink 300 GB/s each way, one InfiniBand HDR adapter of 25 GB/s a GPU.
    `efficiency` is the part of the peak that the kernels of a layer reach when nobody waits.
    """

    node: int = 8
    peak: float = 312e12
    memory: float = 80e9
    efficiency: float = 1.0
    inside: Fabric = NVLINK
    between: Fabric = INFINIBAND

    def fabric(self, ranks: tuple[int, ...]) -> Fabric:
        """What the messages of a group travel on: the slower links, as soon as it spans two nodes."""
        return self.inside if len({rank // self.node for rank in ranks}) == 1 else self.between


@dataclass(frozen=True)
class Plan:
    """Degrees of the three ways, sequences in a step and in a micro-batch, and chunks of layers a stage (interleaving)."""

    tensor: int
    pipeline: int
    data: int
    batch: int
    micro_batch: int = 1
    chunks: int = 1

    @property
    def mesh(self) -> Mesh:
        """Ranks as (dp, pp, tp): neighbours share layers."""
        return Mesh((self.data, self.pipeline, self.tensor), ("dp", "pp", "tp"))

    @property
    def micro_batches(self) -> int:
        """Micro-batches that a pipeline runs in a step."""
        return self.batch // (self.data * self.micro_batch)

    def why_not(self, model: Transformer) -> str | None:
        """A sentence where the numbers do not divide, None where the plan can run."""
        if self.batch % (self.data * self.micro_batch):
            return (
                f"{self.data} replicas with micro-batches of {self.micro_batch} do not divide a batch of {self.batch}."
            )
        if model.layers % (self.pipeline * self.chunks):
            return f"{model.layers} layers do not divide into {self.pipeline} stages of {self.chunks} chunks."
        if model.heads % self.tensor or model.hidden % self.tensor:
            return f"{model.heads} heads do not divide into {self.tensor} shards."
        if self.chunks > 1 and (self.pipeline == 1 or self.micro_batches % self.pipeline):
            return (
                f"Interleaving needs micro-batches in multiples of {self.pipeline}, and there are {self.micro_batches}."
            )
        return None


@dataclass(frozen=True)
class Price:
    """Bytes on the fullest GPU, by what holds them, and seconds of a step, by what they are spent on."""

    bytes: dict[str, float]
    seconds: dict[str, float]
    flops: float
    gpus: int

    @property
    def memory(self) -> float:
        """Bytes in all."""
        return sum(self.bytes.values())

    @property
    def step(self) -> float:
        """Seconds in all."""
        return sum(self.seconds.values())

    @property
    def throughput(self) -> float:
        """FLOP/s of one GPU, as the paper counts them."""
        return self.flops / self.step / self.gpus


def all_reduce_cost(size: float, ranks: int, fabric: Fabric) -> float:
    """Seconds of a ring: 2(p-1) α + 2(p-1)/p n β."""
    return 2 * (ranks - 1) * (fabric.alpha_s + fabric.beta_s * size / ranks)


def memory_cost(model: Transformer, plan: Plan) -> dict[str, float]:
    """Bytes on a GPU of the first stage, which holds the most micro-batches in flight: p of them, or 1F1B's interleaved number."""
    layers, shards = model.layers / plan.pipeline, plan.tensor
    tokens = model.sequence * plan.micro_batch * model.hidden
    flight = float(min(plan.micro_batches, plan.pipeline))
    if plan.chunks > 1:
        flight *= 1 + (plan.pipeline - 1) / (plan.pipeline * plan.chunks)
    inner = 10 + 24 / shards + 5 * model.heads * model.sequence / (model.hidden * shards)
    edge = 0.0 if plan.pipeline == 1 else model.vocabulary * model.hidden * (1 - 1 / plan.pipeline) / shards
    return {
        "states": STATE * (model.parameters / plan.pipeline / shards + edge),
        "inputs of layers": HALF * tokens * layers * flight,
        "one layer recomputed": tokens * inner,
    }


def time_cost(model: Transformer, plan: Plan, cluster: Cluster) -> dict[str, float]:
    """Seconds of a step; nothing overlaps, so this is what the schedule must hide."""
    mesh = plan.mesh
    message = HALF * model.sequence * plan.micro_batch * model.hidden
    work = model.flops(plan.micro_batch) / (plan.pipeline * plan.tensor) / (cluster.peak * cluster.efficiency)
    # two all-reduces of a layer in each of: forward, forward again, backward
    reduce = all_reduce_cost(message, plan.tensor, cluster.fabric(mesh.group(0, "tp")))
    layers = 6 * model.layers / plan.pipeline * reduce
    # scatter/gather: each shard sends its part to the next stage
    hop = cluster.fabric(mesh.group(0, "pp")).seconds(0, 1, -(-message // plan.tensor))
    hops = 2 * plan.chunks * hop if plan.pipeline > 1 else 0.0
    one, count = work + layers + hops, plan.micro_batches
    gradients = HALF * model.parameters / (plan.pipeline * plan.tensor)
    return {
        "compute": count * work,
        "tensor parallel": count * layers,
        "pipeline": count * hops,
        "bubble": (plan.pipeline - 1) / plan.chunks * one,
        "data parallel": all_reduce_cost(gradients, plan.data, cluster.fabric(mesh.group(0, "dp"))),
    }


def price(model: Transformer, plan: Plan, cluster: Cluster) -> Price:
    """Memory and time of a plan; raises ValueError where its numbers do not divide."""
    reason = plan.why_not(model)
    if reason is not None:
        raise ValueError(reason)
    return Price(memory_cost(model, plan), time_cost(model, plan, cluster), model.flops(plan.batch), plan.mesh.size)


def plans(model: Transformer, gpus: int, batch: int) -> Iterator[Plan]:
    """Every plan that can run on `gpus` with a batch of sequences."""
    for tensor in _divisors(gpus):
        for pipeline in _divisors(gpus // tensor):
            for micro_batch in (1, 2, 4, 8):
                for chunks in _divisors(model.layers):
                    plan = Plan(tensor, pipeline, gpus // tensor // pipeline, batch, micro_batch, chunks)
                    if plan.why_not(model) is None:
                        yield plan


def best_plan(model: Transformer, gpus: int, batch: int, cluster: Cluster) -> tuple[Plan, Price]:
    """The fastest plan that fits the memory; raises ValueError where none does."""
    priced = [(plan, price(model, plan, cluster)) for plan in plans(model, gpus, batch)]
    fitting = [(plan, cost) for plan, cost in priced if cost.memory <= cluster.memory]
    if not fitting:
        raise ValueError(
            f"None of {len(priced)} plans for {gpus} GPUs fits {cluster.memory / 1e9:.0f} GB: use more GPUs or a smaller model."
        )
    return min(fitting, key=lambda found: found[1].step)


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
