"""Attention against SDPA's math in float64: any shape, any strides, bands, ends, gradients, and the same bits twice."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the field's name
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlsys_core.kernels.attention import flash_attention, flash_attention_varlen
from mlsys_core.kernels.attention.launch import Problem, prepare, run_forward, run_keys, run_queries
from mlsys_core.kernels.attention.tile_table import Tile
from mlsys_core.workloads.gpt import GPT, Attention, GPTConfig
from tests.mlsys_core.kernels.where import DEVICE, DTYPES, HALVES, SCALE, generator

TOLERANCE = {torch.float32: 2e-5, torch.float16: 8e-3, torch.bfloat16: 6e-2}


def drawn(seed, heads, t, s, d, dtype=torch.float32, batch=2):  # noqa: PLR0917 - shapes, as read
    """q, k, v (B, H, T, D) as a model has them, views of (B, T, H, D), and a cotangent."""
    g = generator(seed)
    shapes = ((heads[0], t), (heads[1], s), (heads[1], s), (heads[0], t))
    return [torch.randn(batch, n, h, d, generator=g, device=DEVICE).to(dtype).transpose(1, 2) for h, n in shapes]


def pairs(t, s, left=-1, right=-1):
    """The band as a matrix, aligned to the end."""
    at, key = torch.arange(t, device=DEVICE)[:, None] + s - t, torch.arange(s, device=DEVICE)
    ok = torch.ones(t, s, dtype=torch.bool, device=DEVICE)
    return ok & ((key >= at - left) | (left < 0)) & ((key <= at + right) | (right < 0))


def expected(q, k, v, ok, cotangent, scale=None):  # noqa: PLR0917 - tensors, as given
    """SDPA's math backend in float64: out, dq, dk, dv. Rows without a key are 0 there too, as a row of -inf is none."""
    q, k, v = (x.detach().double().requires_grad_() for x in (q, k, v))
    some = ok.any(-1)
    with sdpa_kernel(SDPBackend.MATH):
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=ok | ~some[:, None], scale=scale, enable_gqa=True)
    out = out * some[:, None]
    return [out, *torch.autograd.grad(out, (q, k, v), cotangent.double())]


def found(q, k, v, cotangent, **options):
    """Ours: out, dq, dk, dv."""
    q, k, v = (x.detach().requires_grad_() for x in (q, k, v))
    out = flash_attention(q, k, v, **options)
    return [out, *torch.autograd.grad(out, (q, k, v), cotangent)]


@pytest.mark.parametrize("seed", range(6))
def test_it_is_exact_attention_for_random_shapes_bands_and_groups(seed, held):
    draw = Random(seed)
    group, hk = draw.choice([(1, 2), (2, 1), (3, 1)])
    t, s, d = draw.randint(1, 70 * SCALE), draw.randint(1, 70 * SCALE), draw.choice([16, 20, 32, 64])
    causal = draw.random() < 0.5
    window = draw.choice([None, (draw.randint(0, 40), -1), (draw.randint(0, 40), draw.randint(0, 9))])
    left, right = window or (-1, -1)
    right = 0 if causal else right
    scale = draw.choice([None, 0.3])
    for dtype in DTYPES:
        q, k, v, cotangent = drawn(seed, (group * hk, hk), t, s, d, dtype)
        want = expected(q, k, v, pairs(t, s, left, right), cotangent, scale)
        got = found(q, k, v, cotangent, causal=causal, window=window, scale=scale)
        held(
            f"attention {dtype}",
            "SDPA math, float64",
            [x.cpu().double() for x in got],
            [x.cpu() for x in want],
            TOLERANCE[dtype],
        )


@pytest.mark.parametrize("d", [1, 48, 128])
def test_heads_of_any_width(d, held):
    q, k, v, cotangent = drawn(d, (1, 1), 33, 35, d, batch=1)
    want = expected(q, k, v, pairs(33, 35, -1, 0), cotangent)
    held("attention, widths", "SDPA math, float64", found(q, k, v, cotangent, causal=True), want, 2e-5)


def test_a_query_that_may_read_nothing_gives_zero_and_no_gradient():
    q, k, v, cotangent = drawn(1, (2, 1), 50, 20, 16)
    out, dq, dk, dv = found(q, k, v, cotangent, causal=True)  # 30 queries stand before the first key
    _, lse = flash_attention(q, k, v, causal=True, return_lse=True)
    assert (out[:, :, :30] == 0).all()
    assert (dq[:, :, :30] == 0).all()
    assert (lse[:, :, :30] == -torch.inf).all()
    assert lse[:, :, 30:].isfinite().all()
    assert all(x.isfinite().all() for x in (out, dq, dk, dv))


def test_lse_is_the_logarithm_of_the_sum_and_has_a_gradient(held):
    q, k, v, _ = (x.requires_grad_() for x in drawn(2, (2, 1), 40, 45, 32))
    cotangent = torch.randn(2, 2, 40, generator=generator(3), device=DEVICE)
    _, lse = flash_attention(q, k, v, window=(20, 5), return_lse=True)
    scores = (q.double() @ k.double().repeat_interleave(2, 1).mT * 32**-0.5).masked_fill(
        ~pairs(40, 45, 20, 5), -torch.inf
    )
    want = scores.logsumexp(-1)
    ours, theirs = (torch.autograd.grad(x, (q, k), cotangent.to(x.dtype)) for x in (lse, want))
    held("attention, LSE", "torch.logsumexp, float64", [lse, *ours], [want, *theirs], 1e-5)


def test_logits_of_ten_thousand_do_not_overflow(held):
    q, k, v, cotangent = drawn(4, (1, 1), 40, 64, 16)
    q, k = q / q.norm(dim=-1, keepdim=True) * 200, k / k.norm(dim=-1, keepdim=True) * 200
    want = expected(q, k, v, pairs(40, 64, -1, 0), cotangent, 0.25)
    assert (q @ k.mT).abs().max() * 0.25 > 5e3
    held(
        "attention, large logits", "SDPA math, float64", found(q, k, v, cotangent, causal=True, scale=0.25), want, 5e-3
    )


def test_what_lies_beside_and_after_the_tensors_is_never_read():
    whole = [torch.full((2, 3, 64, 24), torch.nan, device=DEVICE) for _ in range(3)]
    q, k, v, cotangent = drawn(5, (3, 3), 37, 37, 20)
    inside = [x[:, :, 5:42, 2:22] for x in whole]
    for view, value in zip(inside, (q, k, v), strict=True):
        view.copy_(value)
    for a, b in zip(found(*inside, cotangent, causal=True), found(q, k, v, cotangent, causal=True), strict=True):
        assert torch.equal(a, b)


def test_a_last_axis_with_steps_and_a_head_seen_by_all_are_read_rightly(held):
    q, k, v, cotangent = drawn(6, (2, 1), 20, 24, 16)
    k, v = (x.mT.contiguous().mT.expand(2, 2, 24, 16) for x in (k, v))
    held(
        "attention, strides",
        "SDPA math, float64",
        found(q, k, v, cotangent),
        expected(q, k, v, pairs(20, 24), cotangent),
        2e-5,
    )


def test_gradients_are_the_same_bits_twice():
    q, k, v, cotangent = drawn(7, (2, 1), 50 * SCALE, 60 * SCALE, 64, HALVES[-1])
    first, again = (found(q, k, v, cotangent, causal=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("tile", [Tile(16, 32), Tile(64, 16), Tile(32, 64)])
def test_the_tile_changes_nothing_and_descriptors_neither(tile, held):
    q, k, v, cotangent = drawn(8, (2, 2), 50, 90, 32, torch.float16)
    problem = Problem(40, 3, 32**-0.5)
    want = expected(q, k, v, pairs(50, 90, 40, 3), cotangent)
    for tma in (False, True):
        out, lse = run_forward(q, k, v, problem, tile, tma)
        saved = prepare(cotangent, torch.zeros_like(lse), (q, k, v, out, lse), problem)
        got = [out, run_queries(saved, problem, tile, tma), *run_keys(saved, problem, tile, tma)]
        held("attention, tiles", "SDPA math, float64", [x.cpu() for x in got], [x.cpu() for x in want], 8e-3)


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"window": (9, 4)}])
def test_sequences_laid_end_to_end_do_not_see_each_other(options, held):
    lengths_q, lengths_k = [5, 0, 33, 40], [5, 7, 48, 20]
    cu_q, cu_k = (F.pad(torch.tensor(n).cumsum(0), (1, 0)).int().to(DEVICE) for n in (lengths_q, lengths_k))
    q, k, v, cotangent = (x[0].transpose(0, 1) for x in drawn(9, (4, 2), 78, 80, 16, batch=1))
    leaves = [x.detach().requires_grad_() for x in (q, k, v)]
    out = flash_attention_varlen(*leaves, cu_q, cu_k, 40, 48, **options)
    got = [out, *torch.autograd.grad(out, leaves, cotangent)]
    left, right = options.get("window", (-1, 0 if options else -1))
    parts = []
    for b in range(4):
        rows, keys = slice(cu_q[b], cu_q[b + 1]), slice(cu_k[b], cu_k[b + 1])
        one = [x.transpose(0, 1)[None] for x in (q[rows], k[keys], v[keys], cotangent[rows])]
        parts.append(expected(*one[:3], pairs(lengths_q[b], lengths_k[b], left, right), one[3]))
    want = [torch.cat([part[i][0].transpose(0, 1) for part in parts]) for i in range(4)]
    held("attention, varlen", "SDPA math, float64, one by one", got, want, 2e-5)


def test_torch_accepts_the_operator():
    q, k, v, cotangent = (x.requires_grad_() for x in drawn(10, (2, 1), 20, 20, 16, batch=1))
    torch.library.opcheck(torch.ops.mlsys.flash_attention, (q, k, v, -1, 0, 0.25, [0, 0], [0, 0], [None] * 8))
    compiled = torch.compile(lambda *x: flash_attention(*x, causal=True), backend="aot_eager", fullgraph=True)
    results = [
        torch.autograd.grad(f(q, k, v), (q, k, v), cotangent)
        for f in (compiled, lambda *x: flash_attention(*x, causal=True))
    ]
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_model_trains_with_it_as_with_its_own(monkeypatch, held):
    config = GPTConfig(vocab_size=20, context=24, dim=32, layers=2, heads=2, kv_heads=1, ffn=48)
    tokens = torch.randint(20, (2, 25), generator=torch.Generator().manual_seed(0)).to(DEVICE)

    def trained():
        model = GPT(config).to(DEVICE)
        steps = torch.optim.AdamW(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(3):
            losses.append(model.loss(tokens[:, :-1], tokens[:, 1:]))
            steps.zero_grad()
            losses[-1].backward()
            steps.step()
        return [torch.stack(losses), *model.parameters()]

    own = trained()
    monkeypatch.setattr(Attention, "attend", lambda _, q, k, v: flash_attention(q, k, v, causal=True))
    held("attention, three steps of AdamW", "GPT with SDPA", [x.cpu() for x in trained()], [x.cpu() for x in own], 1e-4)


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        (((1, 2, 4, 16), (1, 2, 5, 8)), {}, "last axis"),
        (((1, 3, 4, 16), (1, 2, 5, 16)), {}, "give a divisor"),
        (((2, 2, 4, 16), (1, 2, 5, 16)), {}, "with one B"),
        (((1, 1, 4, 512), (1, 1, 5, 512)), {}, "do not fit a tile"),
        (((1, 1, 4, 16), (1, 1, 5, 16)), {"scale": -1.0}, "positive"),
        (((1, 1, 4, 16), (1, 1, 5, 16)), {"window": (-3, 2)}, "no meaning"),
    ],
)
def test_what_has_no_meaning_is_refused_in_words(shapes, options, words):
    q, k = (torch.zeros(shape, device=DEVICE) for shape in shapes)
    with pytest.raises(ValueError, match=words):
        flash_attention(q, k, k, **options)
