"""Decoding a model of a billion random weights on one GPU: tokens a second, and the part of what its bytes allow.

    python3 -m tests.benchmarks.serving_gpu --out $OUT/serving_gpu.json

Three things in one run. Decode: a step of the engine's runner for batches of one size, recorded as a CUDA graph, beside the same model in
plain torch with a contiguous cache, eager and compiled (and recorded too). The floor of a step is the time in which the measured copy
bandwidth moves the weights, and the keys and values of the contexts. Correctness: logits through the paged cache against a forward
without a cache in float32. Throughput: one trace of requests by the engine, and in static batches of the same size.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.serving.attention import PagedAttention, TorchAttention
from mlsys_core.serving.blocks import kv_bytes
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.decode_step import fused
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.graph_runner import FixedStep, GraphRunner
from mlsys_core.serving.runner import rotation, turn, weight_floor_s
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.scheduler import SchedulerConfig
from mlsys_core.workloads.gpt import GPT, GPTConfig

BILLION = GPTConfig(vocab_size=32000, context=1024, dim=2048, layers=22, heads=16, kv_heads=4, ffn=5632, rope_theta=1e4)
SIZES, CONTEXT = (1, 16, 64), 512


def random_model(config: GPTConfig, device: str = "cuda") -> GPT:
    """Random weights in bfloat16, drawn on the device."""
    with torch.device("meta"):
        model = GPT(config)
    model = model.to(torch.bfloat16).to_empty(device=device).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0.0, 0.02) if weight.ndim == 2 else weight.fill_(1.0)
    return model


def timed(call, rounds: int = 30) -> float:
    """Median milliseconds of a call, by events."""
    for _ in range(5):
        call()
    times = []
    for _ in range(rounds):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return median(times)


def copy_bandwidth() -> float:
    """Bytes a second of a large copy, reads and writes counted."""
    source = torch.empty(2**31, dtype=torch.int8, device="cuda").random_(0, 100)
    target = torch.empty_like(source)
    return 2 * source.nbytes / timed(lambda: target.copy_(source)) * 1e3


class Contiguous:
    """The yardstick: the model as it stands, batch by batch, keys and values of all in one tensor, every sequence as long as the next."""

    def __init__(self, model: GPT, batch: int, context: int, *, compiled: bool) -> None:
        self.model, self.n = model, context
        c = model.config
        shape = (c.layers, batch, c.kv_heads, context + 1, c.head_dim)
        self.keys, self.values = torch.randn(2, *shape, device="cuda", dtype=torch.bfloat16)
        self.position = torch.full((1,), context, device="cuda")
        self.tokens = torch.randint(c.vocab_size, (batch,), device="cuda")
        self.block = fused(self._block) if compiled else self._block

    def _block(self, x: Tensor, block, cache: tuple[Tensor, Tensor], rotated: tuple[Tensor, Tensor]) -> Tensor:
        (keys, values), (cos, sin) = cache, rotated
        n, size = block.attn_norm(x), self.model.config.head_dim
        q, k, v = (p(n).unflatten(-1, (-1, size)) for p in (block.attn.q_proj, block.attn.k_proj, block.attn.v_proj))
        keys[:, :, self.n], values[:, :, self.n] = turn(k, cos, sin), v
        q = turn(q, cos, sin)[:, :, None]
        read = F.scaled_dot_product_attention(q, keys, values, enable_gqa=True)
        x = x + block.attn.o_proj(read.flatten(1))
        return x + block.ffn(block.ffn_norm(x))

    @torch.inference_mode()
    def step(self) -> Tensor:
        c = self.model.config
        x = self.model.embed(self.tokens)
        rotated = rotation(self.position, c.head_dim, c.rope_theta, x.dtype)
        for block, *cache in zip(self.model.blocks, self.keys, self.values, strict=True):
            x = self.block(x, block, tuple(cache), rotated)
        return self.model.head(self.model.norm(x)).argmax(-1)


def filled(step: FixedStep, context: int) -> None:
    """Gives every row a context of its own in blocks that lie in random order, as they do after a while of serving."""
    size = step.step.cache.block_size
    width = -(-(context + 1) // size)
    batch = len(step.tokens)
    order = torch.randperm(step.step.cache.spare, device="cuda")[: batch * width].view(batch, width)
    step.tokens.random_(0, 1000)
    step.layout.positions.fill_(context)
    step.layout.contexts.fill_(context + 1)
    step.layout.tables[:, :width] = order
    step.layout.slots.copy_(order[:, context // size] * size + context % size)


def decode(engine: Engine, rate: float, baselines: bool) -> list[dict]:
    """A row for each size of batch."""
    runner, rows = engine.runner, []
    model = runner.model
    runner.cache.keys.normal_()
    runner.cache.values.normal_()
    c = model.config
    for size, step in runner.steps.items():
        with torch.inference_mode():
            filled(step, CONTEXT)
            step.replay()
        row = {"batch": size, "context": CONTEXT, "ours_ms": timed(step.replay)}
        weights = weight_floor_s(model, rate) * 1e3
        row["weights_floor_ms"] = weights
        row["floor_ms"] = weights + size * kv_bytes(CONTEXT, c.layers, c.kv_heads, c.head_dim) / rate * 1e3
        if baselines:
            eager = Contiguous(model, size, CONTEXT, compiled=False)
            row["eager_ms"] = timed(eager.step, 10)
            row["eager_recorded_ms"] = timed(recorded(eager.step))
            row["compiled_recorded_ms"] = timed(recorded(Contiguous(model, size, CONTEXT, compiled=True).step))
        row["tokens_per_s"] = size / row["ours_ms"] * 1e3
        row["of_weights_floor"] = row["weights_floor_ms"] / row["ours_ms"]
        row["of_floor"] = row["floor_ms"] / row["ours_ms"]
        rows.append(row)
        print(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
    return rows


def recorded(call):
    """A call as a CUDA graph, after it has run thrice beside."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.inference_mode():
        call()
    return graph.replay


@torch.inference_mode()
def correctness(engine: Engine) -> dict:
    """Logits of the engine's way, and of a plain bfloat16 forward, against float32 on the same weights and tokens."""
    model = engine.runner.model
    draws = random.Random(1)
    prompts = [[draws.randrange(32000) for _ in range(n)] for n in (3, 70, 131, 200)]
    for prompt in prompts:
        engine.add_request(prompt, SamplingParams(max_tokens=6, temperature=0.0))
    outputs: dict[int, list[tuple[int, float]]] = {}
    while engine.busy:
        for out in engine.step():
            outputs.setdefault(out.request, []).extend(zip(out.tokens, out.logprobs, strict=True))
    exact = GPT(model.config).cuda()
    exact.load_state_dict({k: v.float() for k, v in model.state_dict().items()})
    ours = plain = 0.0
    for prompt, drawn in zip(prompts, outputs.values(), strict=True):
        tokens = torch.tensor([prompt + [t for t, _ in drawn]], device="cuda")
        at = range(len(prompt) - 1, tokens.shape[1] - 1)
        want, bf16 = (m(tokens)[0].float().log_softmax(-1)[at, tokens[0, len(prompt) :]] for m in (exact, model))
        got = torch.tensor([p for _, p in drawn], device="cuda")
        ours, plain = max(ours, float((got - want).abs().max())), max(plain, float((bf16 - want).abs().max()))
    return {"worst_logprob_error_ours": ours, "worst_logprob_error_plain_bf16": plain}


def trace(count: int, seed: int = 0) -> list[tuple[list[int], int]]:
    """Prompts of 32 to 512 tokens, outputs of 8 to 500, most of them short."""
    draws = random.Random(seed)
    lengths = [(draws.randint(32, 512), min(500, max(8, int(draws.lognormvariate(4.4, 0.9))))) for _ in range(count)]
    return [([draws.randrange(32000) for _ in range(n)], out) for n, out in lengths]


def serve(engine: Engine, groups: list[list[tuple[list[int], int]]]) -> dict:
    """Serves groups one after the other, each until its last output has ended; seconds and rates."""
    torch.cuda.synchronize()
    begun, steps = time.perf_counter(), engine.metrics().steps
    engine.metrics().requests.clear()
    for group in groups:
        for prompt, length in group:
            engine.add_request(prompt, SamplingParams(max_tokens=length, temperature=0.0))
        while engine.busy:
            engine.step()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    tokens = sum(length for group in groups for _, length in group)
    return {
        "seconds": seconds,
        "output_tokens_per_s": tokens / seconds,
        "steps": engine.metrics().steps - steps,
        "ttft_s": engine.metrics().percentiles("time_to_first_token"),
        "time_per_token_s": engine.metrics().percentiles("time_per_token"),
    }


def attention(name: str) -> PagedAttention:
    """The library's kernels, or the definition in torch, which gathers all blocks of a table's width."""
    if name == "torch":
        return TorchAttention()
    from mlsys_core.serving.kernel_attention import KernelAttention  # needs triton

    return KernelAttention()


def throughput(engine: Engine, requests: int, note: Callable[[str, object], None]) -> None:
    """A trace in one queue, and in groups of 64 that wait for their longest."""
    load = trace(requests)
    groups = [load[i : i + 64] for i in range(0, len(load), 64)]
    serve(engine, groups)  # what is compiled, chosen or allocated at first use is so now
    continuous, static = serve(engine, [load]), serve(engine, groups)
    note("continuous", continuous)
    note("static", static)
    note("throughput_ratio", continuous["output_tokens_per_s"] / static["output_tokens_per_s"])


def main() -> None:
    """All of it; what is known is written after each part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--plain", action="store_true", help="do not compile what lies between the products")
    parser.add_argument("--requests", type=int, default=192, help="of the trace; 0 for none")
    parser.add_argument("--attention", choices=("kernels", "torch"), default="kernels")
    options = parser.parse_args()
    begun = time.perf_counter()
    model = random_model(BILLION)
    limits = SchedulerConfig(token_budget=2048, max_sequences=64)
    config = EngineConfig(
        blocks=4096, prefix_cache="none", decode_sizes=SIZES, compiled=not options.plain, scheduler=limits
    )
    engine = Engine(model, config, attention=attention(options.attention))
    assert isinstance(engine.runner, GraphRunner)
    rate = copy_bandwidth()
    result: dict = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "copy_bytes_per_s": rate,
    }

    def note(name: str, value: object) -> None:
        result[name] = value
        result["elapsed_s"] = time.perf_counter() - begun
        options.out.write_text(json.dumps(result, indent=1))
        print(f"[{result['elapsed_s']:.0f} s] {name}: {json.dumps(value)}", flush=True)

    note("correctness", correctness(engine))
    note("decode", decode(engine, rate, not options.no_baselines))
    if options.requests:
        throughput(engine, options.requests, note)


if __name__ == "__main__":
    main()
