"""The oracles of Lab 2's tasks 1 to 3 and 8 against torch: attention, a decoder, and counts of work."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402 - only where torch is
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

CHECKS = Path(__file__).resolve().parents[2] / "labs" / "inference" / "checks"
NAMES = ("answers", "dense", "decoder", "kernels", "hidden", "hidden.generation_work", "hidden.work")


@pytest.fixture(scope="module")
def checks() -> Iterator[SimpleNamespace]:
    """The modules beside the checks, by their last name, and forgotten again."""
    before = list(sys.path)
    sys.path.insert(0, str(CHECKS))
    loaded: dict[str, ModuleType] = {name.rpartition(".")[2]: importlib.import_module(name) for name in NAMES}
    yield SimpleNamespace(**loaded)
    sys.path[:] = before
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture(params=[0, 1, 2])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Three seeds."""
    return np.random.default_rng(request.param)


def wide(array: Any) -> Any:
    """A float64 tensor."""
    return torch.from_numpy(np.asarray(array, np.float64))


def counted(function: Any, *inputs: Any) -> int:
    """Operations of the matrix products of a call."""
    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return int(counter.get_total_flops())


def plain_attention(q: Any, k: Any, v: Any) -> Any:
    """Two products with a softmax between them."""
    return torch.softmax(q @ k.mT, -1) @ v


# ---- attention


@pytest.mark.parametrize("causal", [False, True])
def test_dense_attention_is_that_of_torch(checks, rng, held, causal):
    heads, n, m = int(rng.integers(1, 4)), 5, 9
    q, k, v = (rng.normal(size=size) for size in ((2 * heads, n, 8), (heads, m, 8), (heads, m, 8)))
    visible = checks.dense.visible_pairs(n, m, causal=causal, mask=rng.random((n, m)) < 0.8)
    visible[:, 0] = True
    scale = float(rng.uniform(0.1, 1))
    out, lse = checks.dense.attention(q, k, v, visible, scale)
    mask = torch.from_numpy(visible)
    want = functional.scaled_dot_product_attention(
        *(wide(one)[None] for one in (q, k, v)), attn_mask=mask, scale=scale, enable_gqa=True
    )[0]
    scores = wide(q) @ wide(np.repeat(k, 2, axis=0)).mT * scale
    held("lab 2, attention", "torch SDPA", out, want, 1e-12)
    want_lse = torch.logsumexp(scores.masked_fill(~mask, -math.inf), -1)
    held("lab 2, log denominators", "torch.logsumexp", lse, want_lse, 1e-12)
    held(
        "lab 2, log denominators",
        "torch.logsumexp",
        checks.dense.log_sum_exp(scores.numpy()),
        scores.logsumexp(-1),
        1e-12,
    )


def test_a_row_that_sees_nothing_is_zero_and_causal_ends_with_the_last_key(checks):
    seen = checks.dense.visible_pairs(3, 5, causal=True)
    assert seen.sum(axis=1).tolist() == [3, 4, 5]
    seen[1] = False
    out, lse = checks.dense.attention(np.ones((1, 3, 4)), np.ones((1, 5, 4)), np.ones((1, 5, 4)), seen)
    assert out[0].tolist() == [[1.0] * 4, [0.0] * 4, [1.0] * 4]
    assert lse[0, 1] == -math.inf
    assert checks.dense.log_sum_exp(np.full((2, 3), -np.inf)).tolist() == [-math.inf] * 2


# ---- the decoder


class Decoder:
    """The same model in torch, float64, by functions that others wrote."""

    def __init__(self, config: dict[str, int], weights: dict[str, Any]) -> None:
        self.config, self.weights = config, {name: wide(one) for name, one in weights.items()}

    def norm(self, x: Any, name: str) -> Any:
        return functional.rms_norm(x, x.shape[-1:], self.weights[name], eps=1e-6)

    def heads(self, h: Any, name: str) -> Any:
        return (h @ self.weights[name]).unflatten(-1, (-1, self.config["head_dim"])).transpose(0, 1)

    def turned(self, x: Any) -> Any:
        half = x.shape[-1] // 2
        angle = torch.arange(x.shape[1])[:, None] / 10000.0 ** (torch.arange(half, dtype=torch.float64) / half)
        pairs = torch.complex(x[..., :half].contiguous(), x[..., half:].contiguous())
        return torch.cat(torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).unbind(-1), -1)

    def __call__(self, tokens: Any) -> Any:
        """Logits after the last token."""
        w, x = self.weights, self.weights["token"][tokens]
        group = self.config["heads"] // self.config["kv_heads"]
        for i in range(self.config["layers"]):
            h = self.norm(x, f"{i}.norm1")
            q, k, v = (self.heads(h, f"{i}.{name}") for name in "qkv")
            k, v = (one.repeat_interleave(group, 0) for one in (self.turned(k), v))
            mask = torch.ones(len(x), len(x), dtype=torch.bool).tril()
            scores = self.turned(q) @ k.mT / math.sqrt(self.config["head_dim"])
            read = scores.masked_fill(~mask, -math.inf).softmax(-1) @ v
            x = x + read.transpose(0, 1).flatten(1) @ w[f"{i}.o"]
            x = x + functional.silu(self.norm(x, f"{i}.norm2") @ w[f"{i}.up"]) @ w[f"{i}.down"]
        return self.norm(x[-1], "norm") @ w["head"]


def test_the_decoder_without_a_cache_is_that_of_torch(checks, rng, held):
    config, weights = checks.decoder.random_model(rng, kv_heads=int(rng.choice([1, 2, 4])))
    tokens = rng.integers(config["vocabulary"], size=int(rng.integers(1, 9)))
    found = checks.decoder.logits(config, weights, tokens, "float32")
    # keys and values are rounded to the cache's type
    held("lab 2, decoder", "torch in float64", found, Decoder(config, weights)(torch.from_numpy(tokens)), 5e-6)


def test_a_case_is_clear_its_tokens_are_those_of_torch_and_vary(checks, rng):
    config, weights, prompts, want = checks.decoder.clear_case(rng, [2, 5], 6)
    model = Decoder(config, weights)
    for prompt, tokens in zip(prompts, want, strict=True):
        so_far = [int(one) for one in prompt]
        for token in tokens:
            assert int(model(torch.tensor(so_far)).argmax()) == token
            so_far.append(int(token))
    assert len(set(want.ravel().tolist())) > 2, "one token again and again would hide a wrong position"


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_where_it_is_said_to_be(checks, rng, side):
    prompts = [rng.integers(41, size=length) for length in (1, 4, 6)]
    tokens, mask = checks.decoder.padded(prompts, rng, side)
    assert [row[real].tolist() for row, real in zip(tokens, mask, strict=True)] == [one.tolist() for one in prompts]
    assert mask[0].tolist() == ([False] * 5 + [True] if side == "left" else [True] + [False] * 5)


def test_operations_of_a_generation_are_those_that_torch_counts(checks, rng):
    config, weights = checks.decoder.random_model(rng, layers=int(rng.integers(1, 4)))
    model, prompt, steps = Decoder(config, weights), int(rng.integers(2, 7)), int(rng.integers(2, 6))
    work = checks.generation_work
    runs = [counted(model, torch.zeros(prompt + step, dtype=torch.int64)) for step in range(steps)]
    assert work.without_cache(config, [prompt], steps) == sum(runs)
    assert work.with_cache(config, [prompt], 1) == runs[0]
    assert work.least(config, [prompt, 2], steps) < work.with_cache(config, [prompt, 2], steps) < sum(runs) * 2


# ---- kernels and the roofline


def test_traffic_is_that_of_programs_counted_one_by_one(checks, rng):
    n, d, heads, block_m = int(rng.integers(20, 300)), 16, int(rng.integers(1, 4)), int(rng.choice([16, 32, 64]))
    loaded = 0
    for first in range(0, n, block_m):
        loaded += heads * 4 * d * (min(block_m, n - first) + 2 * n)
    assert checks.kernels.formula(n, d, heads, block_m) == loaded


def test_work_is_what_torch_counts_on_tensors_without_contents(checks, rng):
    work, kind = checks.work, torch.float16

    def empty(*sizes: int) -> Any:
        return torch.empty(sizes, dtype=kind, device="meta")

    def moved(*tensors: Any) -> int:
        return sum(one.nbytes for one in tensors)

    m, n, k = (int(size) for size in rng.integers(1, 9000, size=3))
    a, b = empty(m, k), empty(k, n)
    assert work.matmul(m, n, k, 2) == (counted(torch.mm, a, b), moved(a, b, a @ b))
    batch, kv_heads, group, d = (int(size) for size in rng.integers(1, 9, size=4))
    heads = kv_heads * group
    q, cache = empty(batch, kv_heads, group * n, d), empty(batch, kv_heads, n, d)
    flops = counted(plain_attention, q, cache, cache)
    assert work.prefill(batch=batch, heads=heads, kv_heads=kv_heads, n=n, head_dim=d, element=2) == (
        flops,
        moved(q, q, cache, cache),
    )
    q = empty(batch, kv_heads, group, d)
    flops = counted(plain_attention, q, cache, cache)
    found = work.decode(batch=batch, heads=heads, kv_heads=kv_heads, context=n, head_dim=d, element=2)
    assert found == (flops, moved(q, q, cache, cache))


def test_a_decode_step_is_the_sum_of_its_products(checks, rng):
    work = checks.work
    batch, kv_heads, layers, context = (int(size) for size in rng.integers(1, 9, size=4))
    heads, width, d, hidden, vocabulary = 2 * kv_heads, 48, 16, 80, 100
    arguments = {"layers": layers, "width": width, "hidden": hidden, "vocabulary": vocabulary}
    shared = {"batch": batch, "heads": heads, "kv_heads": kv_heads, "context": context, "head_dim": d, "element": 2}
    flops, moved = work.step(**arguments, **shared)
    one, _ = work.decode(**shared)
    shapes = [(width, heads * d), (width, kv_heads * d), (width, kv_heads * d), (heads * d, width)]
    shapes += [(width, hidden), (width, hidden), (hidden, width)]
    products = [work.matmul(batch, n, k, 2)[0] for k, n in shapes]
    assert flops == layers * (sum(products) + one) + work.matmul(batch, vocabulary, width, 2)[0]
    weights = layers * sum(k * n for k, n in shapes) + width * vocabulary
    assert moved == 2 * (weights + layers * batch * context * 2 * kv_heads * d)


def test_the_floor_is_the_slower_of_two(checks):
    fast = checks.work.floor((4e12, 1e9), 1e15, 1e12)
    assert (fast["bound"], fast["time_s"], fast["intensity"]) == ("compute", 4e-3, 4000)
    assert checks.work.floor((1e9, 4e9), 1e15, 1e12)["bound"] == "memory"


def test_tiles_are_judged_by_bytes_padding_and_room(checks):
    work = checks.work
    assert work.least_time([4096] * 3, [128, 256, 128]) == math.inf
    few = {tuple(tiles): work.least_time([16, 8192, 8192], tiles) for tiles in work.TILES}
    assert min(few, key=lambda one: few[one])[0] == 16, "few rows want low tiles"
    many = {tuple(tiles): work.least_time([8192] * 3, tiles) for tiles in work.TILES}
    assert many[128, 256, 32] == min(many.values()), "many rows want large ones"
    assert many[16, 64, 32] > 2 * many[128, 256, 32]
