"""Products of experts: against a loop over them, with uneven and empty experts, and in the layer that the library has already."""

from __future__ import annotations

import random

import pytest

from tests.mlsys_core.kernels.where import DEVICE, DTYPES, ON_GPU, SCALE, generator

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from mlsys_core.kernels.matmul import experts_swiglu, grouped_matmul  # noqa: E402
from mlsys_core.kernels.matmul.grouped import (  # noqa: E402
    grouped_cost,
    grouped_product,
    weights_cost,
    weights_product,
)
from mlsys_core.kernels.matmul.moe import sort_by_expert  # noqa: E402
from mlsys_core.kernels.matmul.tiles import Tile  # noqa: E402
from mlsys_core.kernels.meter import Meter  # noqa: E402

COUNTS = [[5, 0, 33, 1, 20], [0, 0, 7], [64], [16, 16, 32], [0, 3, 0], [1, 2, 1, 0, 3]]
TOLERANCE = {torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def drawn(counts: list[int], dtype: torch.dtype, *, gather: bool, seed: int = 0):
    """Rows, weights, ends and indices for experts with these numbers of rows; the weights are a view with gaps."""
    draw, rng, counts = random.Random(seed + sum(counts)), generator(seed), [c * SCALE for c in counts]
    n, k, rows = draw.randint(1, 40), draw.randint(1, 40), sum(counts)
    tokens = draw.randint(1, 40) if gather else rows
    x = torch.randn(tokens, k, generator=rng, device=DEVICE).to(dtype)
    w = torch.randn(len(counts), k, n + 3, generator=rng, device=DEVICE).to(dtype)[:, :, 1 : n + 1].transpose(1, 2)
    index = torch.randint(tokens, (rows,), generator=rng, device=DEVICE) if gather else None
    ends = torch.tensor(counts, device=DEVICE).cumsum(0).to(torch.int32)
    return x, w, ends, index, counts


def by_loop(x, w, index, counts):
    """What a loop over the experts says."""
    parts = (x if index is None else x[index]).split(counts)
    return torch.cat([part @ weight.T for part, weight in zip(parts, w, strict=True)])


@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("counts", COUNTS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_and_backward_are_a_loop_over_experts(counts, gather, dtype, held):
    x, w, ends, index, counts = drawn(counts, dtype, gather=gather)
    leaves, twins = ([t.detach().clone().requires_grad_() for t in (x, w)] for _ in range(2))
    found, expected = grouped_matmul(*leaves, ends, index), by_loop(*twins, index, counts)
    cotangent = torch.randn(found.shape, generator=generator(9), device=DEVICE).to(dtype)
    everything = zip(
        (found, *torch.autograd.grad(found, leaves, cotangent)),
        (expected, *torch.autograd.grad(expected, twins, cotangent)),
        strict=True,
    )
    for one, other in everything:
        scale = max(1.0, float(other.detach().abs().max()))
        held(
            "MoE grouped matmul",
            "loop over experts",
            one.float().cpu() / scale,
            other.float().cpu() / scale,
            TOLERANCE[dtype],
        )


@pytest.mark.skipif(ON_GPU, reason="the meter stands in the interpreter")
@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("counts", COUNTS[:3] + COUNTS[4:5], ids=str)
def test_it_moves_what_the_formula_says(counts, gather):
    x, w, ends, index, counts = drawn(counts, torch.float32, gather=gather)
    (_, n, k), tile, size = w.shape, Tile(16, 32, 32, group=2), 8 if gather else 0
    dy = torch.randn(sum(counts), n)
    with Meter() as meter:
        grouped_product(x, w, ends, index, tile)
    assert_metered(meter, grouped_cost(counts, n, k, tile, 4, index_size=size))
    with Meter() as meter:
        weights_product(dy, x, ends, index, tile)
    assert_metered(meter, weights_cost(counts, n, k, tile, 4, index_size=size))


def assert_metered(meter, cost):
    report = meter.report()
    assert meter.findings == ()
    assert (report["loaded"], report["stored"], report["dot_flops"]) == (cost.loaded, cost.stored, cost.dot_flops)


def test_no_rows_at_all():
    x, w = torch.ones(4, 8, device=DEVICE), torch.ones(3, 5, 8, device=DEVICE)
    none = torch.zeros(3, dtype=torch.int32, device=DEVICE)
    assert grouped_matmul(x, w, none, torch.empty(0, dtype=torch.int64, device=DEVICE)).shape == (0, 5)
    assert torch.equal(
        weights_product(torch.empty(0, 5, device=DEVICE), x, none, torch.empty(0, dtype=torch.int64, device=DEVICE)),
        torch.zeros(3, 5, 8, device=DEVICE),
    )


def test_rows_in_the_order_of_experts_keep_the_order_of_tokens():
    experts = torch.tensor([[1, 0], [1, 3], [0, 1]])
    kept = torch.tensor([[True, True], [False, True], [True, True]])
    token, choice, ends = sort_by_expert(experts, kept, 4)
    assert token.tolist() == [0, 2, 0, 2, 1]
    assert choice.tolist() == [1, 0, 0, 1, 1]
    assert ends.tolist() == [2, 4, 4, 5]


@pytest.mark.parametrize("capacity", [None, 0.75])
def test_it_is_the_librarys_layer_of_experts(capacity, held):
    from mlsys_core.parallelism.moe.layer import MoE
    from mlsys_core.parallelism.moe.router import MoEConfig
    from mlsys_core.workloads.gpt import GPTConfig

    torch.manual_seed(3)
    layer = MoE(GPTConfig(dim=24), MoEConfig(experts=5, top_k=2, ffn=24, capacity_factor=capacity)).to(DEVICE)
    x = torch.randn(2, 13, 24, generator=generator(1), device=DEVICE, requires_grad=True)
    y = layer(x)
    routing, parts = layer.routing, [f"{name}_proj" for name in ("gate", "up", "down")]
    stacks = [torch.stack([getattr(e, part).weight for e in layer.experts.values()]) for part in parts]
    found = experts_swiglu(x.flatten(0, 1), routing.experts, routing.weights, routing.kept, *stacks).view_as(x)
    leaves, cotangent = [x, *layer.experts.parameters(), layer.router.parameters().__next__()], torch.randn_like(y)
    ours = torch.autograd.grad(found, leaves, cotangent, retain_graph=True)
    theirs = torch.autograd.grad(y, leaves, cotangent)
    for one, other in zip((found, *ours), (y, *theirs), strict=True):
        held("MoE layer", "mlsys_core.parallelism.moe", one.float().cpu(), other.float().cpu(), 2e-5)


def test_it_is_an_operator_for_compilers():
    x, w, ends, index, _ = drawn(COUNTS[0], torch.float32, gather=True)
    x, w = x.requires_grad_(), w.detach().clone().requires_grad_()
    torch.library.opcheck(torch.ops.mlsys.grouped_matmul.default, (x, w, ends, index))

    def loss(x, w):
        return grouped_matmul(x * 2, w, ends, index).square().sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    for one, other in zip(
        torch.autograd.grad(compiled(x, w), (x, w)), torch.autograd.grad(loss(x, w), (x, w)), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.ones(4, 3)}, "do not fit weights"),
        ({"x": torch.ones(4, 8).half()}, "give one floating-point type"),
        ({"ends": torch.zeros(3, dtype=torch.int64)}, "one int32 for each of the 3 experts"),
        ({"index": torch.ones(4)}, "one dimension of int32 or int64"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(change, message):
    whole = {
        "x": torch.ones(4, 8),
        "weights": torch.ones(3, 5, 8),
        "ends": torch.zeros(3, dtype=torch.int32),
        "index": None,
    }
    with pytest.raises(ValueError, match=message):
        grouped_matmul(**(whole | change))
