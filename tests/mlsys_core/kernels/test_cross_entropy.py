"""Cross-entropy with its gradient in one pass, and the linear head without logits, against torch in float64; bytes against the meter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.kernels.cross_entropy import cross_entropy
from mlsys_core.kernels.cross_entropy_rows import TILE, cross_entropy_bytes
from mlsys_core.kernels.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_cost
from mlsys_core.kernels.meter import Meter
from mlsys_core.kernels.rows import programs_for
from tests.mlsys_core.kernels.operators import TOLERANCE, both, compiled, drawn, same_twice, strided
from tests.mlsys_core.kernels.where import DEVICE, DTYPES, ON_GPU, SCALE, generator

OPTIONS = [
    {},
    {"reduction": "sum"},
    {"label_smoothing": 0.1},
    {"label_smoothing": 0.3, "reduction": "sum", "ignore_index": 1},
]
metered = pytest.mark.skipif(ON_GPU, reason="the meter counts in the interpreter")


def targets_of(shape, classes, seed, ignore_index=-100):
    """Targets, about a third of which do not count; at least one does."""
    draws = generator(seed)
    targets = torch.randint(classes, shape, generator=draws, device=DEVICE)
    targets[torch.rand(shape, generator=draws, device=DEVICE) < 0.3] = ignore_index
    targets.view(-1)[0] = classes - 1
    return targets


def theirs(targets, **options):
    # in float64 and on the CPU, where the expected values are made
    return lambda x: F.cross_entropy(x.flatten(0, -2), targets.flatten(), **options)


def compare(x, targets, options, **ours):
    found, expected = both(
        lambda one: cross_entropy(one, targets, **options, **ours), theirs(targets, **options), [x], x.shape[-1]
    )
    return found, expected


@pytest.mark.parametrize("shape", [(1, 2), (2, 2, 77), (3, TILE), (2, 2 * TILE + 41)], ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_loss_and_its_gradient_are_those_of_torch(shape, options, dtype, held):
    (x,) = drawn(sum(shape), shape, dtype=dtype, scale=3)
    targets = targets_of(shape[:-1], shape[-1], sum(shape), options.get("ignore_index", -100))
    found, expected = compare(x, targets, options)
    held("cross_entropy", f"torch in float64, {dtype}", found, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_gradient_over_the_logits_is_the_same(options, held):
    (leaf,) = drawn(5, (3, 4, 2 * TILE + 5))
    targets = targets_of((3, 4), leaf.shape[-1], 5, options.get("ignore_index", -100))
    kept = []

    def over(one):
        logits = one * 2
        kept[:] = [logits, logits.data_ptr()]
        return cross_entropy(logits, targets, in_place=True, **options)

    found, expected = both(over, lambda one: theirs(targets, **options)(one * 2), [leaf], 5)
    held("cross_entropy in place", "torch in float64", found, expected, TOLERANCE[torch.float32])
    torch.testing.assert_close(kept[0].detach().double().cpu() * 2, expected[1], rtol=1e-4, atol=1e-5)
    assert kept[0].data_ptr() == kept[1]


def test_logits_of_ten_thousand_do_not_overflow(held):
    (x,) = drawn(6, (6, TILE + 30))
    x = (x.detach().sign() * 1e4 + x.detach()).requires_grad_()
    targets = targets_of((6,), x.shape[-1], 6)
    found, expected = compare(x, targets, {})
    assert all(one.isfinite().all() for one in found)
    held("cross_entropy", "torch in float64, logits ±10^4", found, expected, 2e-3)


def test_words_that_are_ruled_out_get_no_gradient(held):
    x = drawn(7, (5, TILE + 30))[0].detach()
    x[:, ::3] = float("-inf")
    targets = torch.arange(1, 14, 3, device=DEVICE)
    found, expected = compare(x.requires_grad_(), targets, {})
    assert not found[1][:, ::3].any()
    held("cross_entropy", "torch in float64, words at -inf", found, expected, TOLERANCE[torch.float32])


def test_a_row_of_nothing_but_minus_infinity_has_no_loss():
    x = torch.full((2, 40), float("-inf"), device=DEVICE)
    with np.errstate(invalid="ignore"):  # the interpreter's numpy has an opinion on -inf - -inf
        loss = cross_entropy(x, torch.tensor([3, 4], device=DEVICE))
    assert loss.isnan()


def test_a_target_that_names_no_word_gives_nan_and_reads_nothing():
    (x,) = drawn(20, (3, 50))
    for wrong in (50, -1, 10**6):
        targets = torch.tensor([1, wrong, 2], device=DEVICE)
        assert cross_entropy(x.detach(), targets).isnan()


def test_no_target_that_counts_gives_nan_and_a_gradient_of_zero_as_in_torch():
    (x,) = drawn(8, (3, 50))
    nothing = torch.full((3,), -100, device=DEVICE)
    with np.errstate(divide="ignore"):
        found, expected = compare(x, nothing, {})
    assert found[0].isnan()
    assert expected[0].isnan()
    assert not found[1].any()
    assert cross_entropy(x, nothing, reduction="sum").item() == 0.0
    (empty,) = drawn(8, (0, 50))
    assert cross_entropy(empty, nothing[:0], reduction="sum").item() == 0.0


def test_rows_and_columns_may_lie_apart(held):
    (x,) = drawn(9, (2, 3, 90))
    targets = targets_of((3, 2), 90, 9).T
    for one in (strided(x, 9), x.detach().transpose(0, 2).contiguous().transpose(0, 2).requires_grad_()):
        found, expected = compare(one, targets, {})
        held("cross_entropy", "torch in float64, strides", found, expected, TOLERANCE[torch.float32])
    with pytest.raises(ValueError, match="over dense logits only"):
        cross_entropy(strided(x, 9), targets, in_place=True)


def test_two_calls_agree_to_the_bit():
    targets = targets_of((9 * SCALE,), 333, 10)
    assert same_twice(lambda x: cross_entropy(x, targets, label_smoothing=0.1), drawn(10, (9 * SCALE, 333)), 10)


def test_the_gradient_is_handed_out_once_and_lost_logits_are_missed():
    x, y = drawn(11, (4, 60), (4, 60))
    targets = targets_of((4,), 60, 11)
    loss = cross_entropy(x, targets) * 2
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    loss = cross_entropy((x * y).exp(), targets, in_place=True)  # the backward of exp needs its result
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_no_gradient_is_made_where_none_is_wanted():
    (x,) = drawn(12, (4, 60))
    targets = targets_of((4,), 60, 12)
    with torch.no_grad():
        before = x.clone()
        loss = cross_entropy(x, targets, in_place=True)
    assert not loss.requires_grad
    assert torch.equal(x, before)


@pytest.mark.filterwarnings(
    "ignore:.*should not be instantiated:DeprecationWarning"
)  # torch itself does, when it traces
def test_torch_accepts_the_operators():
    (x,) = drawn(13, (3, 4, 70))
    targets = targets_of((3, 4), 70, 13)
    torch.library.opcheck(torch.ops.mlsys.cross_entropy.default, (x, targets, -100, 0.1, True, True))
    torch.library.opcheck(torch.ops.mlsys.cross_entropy_.default, (x.detach().clone(), targets, -100, 0.1, True))
    torch.library.opcheck(torch.ops.mlsys.scale_.default, (x.detach().clone(), torch.tensor(2.0, device=DEVICE)))
    for in_place in (False, True):
        ours = compiled(lambda one, over=in_place: cross_entropy(one * 2, targets, in_place=over) * 3)
        found, expected = both(ours, lambda one: theirs(targets)(one * 2) * 3, [x], 13)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, check_dtype=False)


@metered
@pytest.mark.parametrize(("rows", "width"), [(5, 70), (3, 2 * TILE + 9)])
@pytest.mark.parametrize("mean", [True, False])
def test_bytes_are_those_of_the_formula(rows, width, mean):
    for dtype, ignored in ((torch.float32, 0), (torch.float16, 2)):
        (x,) = drawn(width, (rows, width), dtype=dtype)
        targets = torch.randint(width, (rows,))
        targets[:ignored] = -100
        for grad in (True, False):
            with Meter() as meter, torch.set_grad_enabled(grad):
                cross_entropy(x, targets, reduction="mean" if mean else "sum")
            assert meter.findings == ()
            programs = programs_for(targets[:, None])
            expected = cross_entropy_bytes(
                rows, width, x.element_size(), programs, ignored=ignored, grad=grad, mean=mean
            )
            assert meter.report()["loaded"] + meter.report()["stored"] == expected


@metered
def test_a_factor_of_one_moves_nothing():
    (x,) = drawn(14, (3, 200))
    for factor, moved in ((1.0, 0), (0.5, 2 * 600 * 4)):
        with Meter() as meter:
            loss = cross_entropy(x, torch.arange(3))
            before = meter.report()
            loss.backward(torch.tensor(factor))
        after, programs = meter.report(), 1
        assert after["loaded"] + after["stored"] - before["loaded"] - before["stored"] == moved + 4 * programs
        assert meter.findings == ()


def plain_head(targets, **options):
    return lambda hidden, weight: F.cross_entropy((hidden @ weight.T).flatten(0, -2), targets.flatten(), **options)


@pytest.mark.parametrize("chunk", [4, 100])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_head_without_logits_has_the_loss_and_gradients_of_one_with_them(chunk, options, held):
    inputs = drawn(chunk, (3, 5, 24), (TILE + 13, 24))
    targets = targets_of((3, 5), TILE + 13, chunk, options.get("ignore_index", -100))
    ours = lambda h, w: linear_cross_entropy(h, w, targets, chunk=chunk, **options)  # noqa: E731
    found, expected = both(ours, plain_head(targets, **options), inputs, 3)
    held("linear_cross_entropy", "torch in float64", found, expected, 5e-3 if ON_GPU else 1e-4)


def test_a_head_makes_the_gradients_that_are_wanted():
    hidden, weight = drawn(15, (6, 16), (70, 16))
    targets = targets_of((6,), 70, 15)
    (both_of_hidden, both_of_weight) = torch.autograd.grad(
        linear_cross_entropy(hidden, weight, targets), (hidden, weight)
    )
    alone = torch.autograd.grad(linear_cross_entropy(hidden, weight.detach(), targets), hidden)[0]
    other = torch.autograd.grad(linear_cross_entropy(hidden.detach(), weight, targets), weight)[0]
    assert torch.equal(alone, both_of_hidden)
    assert torch.equal(other, both_of_weight)
    with torch.no_grad():
        assert not linear_cross_entropy(hidden, weight, targets).requires_grad


def test_a_head_never_has_more_logits_than_a_chunk():
    rows, width, words, chunk = 24, 8, 500, 6
    hidden, weight = drawn(16, (rows, width), (words, width))
    cost = linear_cross_entropy_cost(rows, width, words, 4, chunk)
    seen = []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            seen.extend(
                one.nbytes for one in (out if isinstance(out, tuple) else (out,)) if isinstance(one, torch.Tensor)
            )
            return out

    with Sizes():
        linear_cross_entropy(hidden, weight, targets_of((rows,), words, 16), chunk=chunk).backward()
    assert max(seen) == max(cost.logits_bytes, weight.nbytes)
    assert cost.plain_logits_bytes == 2 * rows * words * 4


def test_a_head_costs_what_a_plain_one_does():
    from torch.utils.flop_counter import FlopCounterMode

    rows, width, words = 12, 16, 90
    hidden, weight = drawn(17, (rows, width), (words, width))
    with FlopCounterMode(display=False) as counter:
        plain_head(targets_of((rows,), words, 17))(hidden, weight).backward()
    assert counter.get_total_flops() == linear_cross_entropy_cost(rows, width, words, 4).flops


def test_torch_accepts_the_head():
    inputs = drawn(18, (2, 5, 24), (90, 24))
    targets = targets_of((2, 5), 90, 18)
    arguments = (*inputs, targets, -100, 0.1, True, 4, True, True)
    torch.library.opcheck(torch.ops.mlsys.linear_cross_entropy.default, arguments)
    ours = compiled(lambda h, w: linear_cross_entropy(h, w, targets, chunk=4) * 2)
    found, expected = both(ours, lambda h, w: plain_head(targets)(h, w) * 2, inputs, 18)
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=5e-3, check_dtype=False)
    assert same_twice(lambda h, w: linear_cross_entropy(h, w, targets, chunk=3), inputs, 18)


def test_what_cannot_be_is_said():
    x, weight = drawn(19, (3, 8), (20, 8))
    targets = torch.zeros(3, dtype=torch.long, device=DEVICE)
    for ours in (lambda **o: cross_entropy(x, targets, **o), lambda **o: linear_cross_entropy(x, weight, targets, **o)):
        with pytest.raises(ValueError, match="take mean or sum"):
            ours(reduction="none")
    with pytest.raises(ValueError, match="smoothing between 0 and 1"):
        cross_entropy(x, targets, label_smoothing=1.5)
    with pytest.raises(ValueError, match="a target for each row"):
        cross_entropy(x, targets[:2])
    with pytest.raises(ValueError, match="a row a chunk"):
        linear_cross_entropy(x, weight, targets, chunk=0)
    with pytest.raises(ValueError, match="a column of weight"):
        linear_cross_entropy(x, weight[:, :5], targets)
