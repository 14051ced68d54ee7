"""Mixed precision: the scaler is torch's on any trace, bfloat16 is torch's to the bit, and small gradients survive."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor, amp, optim
from mlsys_core.autodiff.amp import BFLOAT16, FLOAT16, FLOAT32, GradScaler, MasterWeights

PRECISIONS = {FLOAT16.name: (FLOAT16, torch.float16), BFLOAT16.name: (BFLOAT16, torch.bfloat16)}
BAD = [np.inf, -np.inf, np.nan]


class Both:
    """Two scalers, ours and torch's, with two optimizers each over two parameters."""

    def __init__(self, **options) -> None:
        start = [
            np.array([1.0, -2.0], np.float32),
            np.array(0.5, np.float32),
            np.ones(3, np.float32),
            np.ones(1, np.float32),
        ]
        self.ours = [Tensor(x.copy(), requires_grad=True) for x in start]
        self.theirs = [torch.tensor(x, requires_grad=True) for x in start]
        self.mine, self.other = GradScaler(**options), torch.amp.GradScaler("cpu", **options)
        # steps by powers of two, which no order of operations rounds
        halves = (slice(0, 2), slice(2, 4))
        self.optimizers = [optim.SGD(self.ours[h], 0.5, momentum=0.5) for h in halves]
        self.others = [torch.optim.SGD(self.theirs[h], 0.5, momentum=0.5) for h in halves]
        # torch makes its scale at the first call of scale
        self.mine.scale(Tensor(1.0)), self.other.scale(torch.tensor(1.0))

    def give(self, gradients) -> None:
        """Hands each parameter a gradient, or none."""
        for mine, other, g in zip(self.ours, self.theirs, gradients, strict=True):
            mine.grad = None if g is None else Tensor(g.copy())
            other.grad = None if g is None else torch.tensor(g)

    def call(self, name: str, *args) -> None:
        """The same call on both sides: both work, or both refuse."""
        results = []
        for scaler, optimizers in ((self.mine, self.optimizers), (self.other, self.others)):
            given = [optimizers[i] for i in args]
            try:
                getattr(scaler, name)(*given)
                results.append("done")
            except (RuntimeError, AssertionError):
                results.append("refused")
        assert results[0] == results[1], f"{name}{args}: ours {results[0]}, torch {results[1]}"

    def same(self) -> None:
        """State, parameters and gradients are equal to the bit."""
        assert self.mine.state_dict() == self.other.state_dict()
        assert self.mine.get_scale() == self.other.get_scale()
        for mine, other in zip(self.ours, self.theirs, strict=True):
            np.testing.assert_array_equal(mine.data, other.detach().numpy())
            assert (mine.grad is None) == (other.grad is None)
            if mine.grad is not None:
                np.testing.assert_array_equal(mine.grad.data, other.grad.numpy())


GRADIENT = st.sampled_from(["good", "good", "good", "good", "bad", "none"])


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(GRADIENT, min_size=4, max_size=4),
            st.lists(
                st.tuples(st.sampled_from(["unscale_", "step", "step"]), st.integers(0, 1)), min_size=1, max_size=5
            ),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    ),
    interval=st.integers(1, 4),
    start=st.sampled_from([2.0**16, 1.0, 3e38, 1e-44, 12345.678]),
    factors=st.sampled_from([(2.0, 0.5), (1.5, 0.3), (1e20, 0.9)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_trace_of_calls_and_gradients_is_torchs(steps, interval, start, factors, seed):
    rng = np.random.default_rng(seed)
    both = Both(init_scale=start, growth_interval=interval, growth_factor=factors[0], backoff_factor=factors[1])
    for kinds, calls, updated in steps:
        gradients = []
        for parameter, kind in zip(both.ours, kinds, strict=True):
            g = rng.standard_normal(parameter.shape).astype(np.float32) * np.float32(min(both.mine.get_scale(), 1e30))
            if kind == "bad":
                g.reshape(-1)[rng.integers(g.size)] = rng.choice(BAD)
            gradients.append(None if kind == "none" else g)
        both.give(gradients)
        with np.errstate(all="ignore"):
            for name, i in calls:
                both.call(name, i)
        if updated:
            both.call("update")
        both.same()


@pytest.mark.parametrize("at", range(9))
def test_something_infinite_at_any_step_around_the_growth_boundary(at):
    both = Both(growth_interval=4, init_scale=8.0)
    scales = []
    for step in range(10):
        g = [np.full(p.shape, 8.0, np.float32) for p in both.ours]
        if step == at:
            g[at % 4].reshape(-1)[-1] = BAD[at % 3]
        both.give(g)
        both.call("step", 0)
        both.call("step", 1)
        both.call("update")
        both.same()
        scales.append(both.mine.get_scale())
    assert len(set(scales)) > 1


def test_one_optimizer_may_step_while_the_other_skips():
    both = Both(init_scale=4.0)
    both.give(
        [
            np.array([np.inf, 1.0], np.float32),
            np.array(1.0, np.float32),
            np.full(3, 4.0, np.float32),
            np.ones(1, np.float32),
        ]
    )
    assert [both.mine.step(o) for o in both.optimizers] == [False, True]
    np.testing.assert_allclose(both.ours[2].data, 0.5)
    both.mine.update()
    assert both.mine.get_scale() == 2.0


def test_calls_out_of_order_say_what_to_do():
    both = Both()
    with pytest.raises(RuntimeError, match="No gradients were looked at"):
        both.mine.update()
    with pytest.raises(RuntimeError, match="No parameter of this optimizer has a gradient"):
        both.mine.step(both.optimizers[0])
    both = Both()
    both.give([np.ones(p.shape, np.float32) for p in both.ours])
    both.mine.unscale_(both.optimizers[0])
    with pytest.raises(RuntimeError, match="unscaled already"):
        both.mine.unscale_(both.optimizers[0])
    both.mine.step(both.optimizers[0])
    with pytest.raises(RuntimeError, match="call unscale_ before step"):
        both.mine.unscale_(both.optimizers[0])
    with pytest.raises(RuntimeError, match="call update before the next one"):
        both.mine.step(both.optimizers[0])
    both.ours[2].grad = Tensor(np.ones(3, np.float16))
    with pytest.raises(ValueError, match="keep float32 master weights"):
        both.mine.unscale_(both.optimizers[1])
    with pytest.raises(ValueError, match="growth factor is 1"):
        GradScaler(growth_factor=1.0)
    with pytest.raises(ValueError, match="backoff factor is 1"):
        GradScaler(backoff_factor=1.0)


def test_a_state_goes_from_torch_to_us_and_back():
    both = Both(growth_interval=3)
    both.give([np.ones(p.shape, np.float32) for p in both.ours])
    both.call("step", 0)
    both.call("update")
    loaded = GradScaler()
    loaded.load_state_dict(both.other.state_dict())
    assert loaded.state_dict() == both.other.state_dict()
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(loaded.state_dict())
    other.scale(torch.tensor(1.0))
    assert other.state_dict() == loaded.state_dict()
    with pytest.raises(RuntimeError, match="not enabled"):
        loaded.load_state_dict({})
    loaded.update(64.0)
    assert (loaded.get_scale(), loaded.state_dict()["_growth_tracker"]) == (64.0, 1)


def test_a_scaler_that_is_off_only_steps():
    x = Tensor([1.0], requires_grad=True)
    scaler, optimizer = GradScaler(enabled=False), optim.SGD([x], 1.0)
    scaler.scale(ad.sum(x * 2.0)).backward()
    scaler.unscale_(optimizer)
    assert scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict({})
    assert (x.data[0], scaler.get_scale(), scaler.state_dict()) == (-1.0, 1.0, {})


def test_several_losses_are_scaled_in_their_structure():
    scaler = GradScaler(init_scale=4.0)
    a, (b, c) = scaler.scale([Tensor(1.0), (Tensor(2.0), Tensor(np.float16(3)))])
    assert (a.item(), b.item(), c.item(), c.dtype) == (4.0, 8.0, 12.0, np.float16)


def patterns() -> np.ndarray:
    """float32 numbers by their bits: random ones, all around each bfloat16, ties, subnormal ones, infinite ones, NaN."""
    rng = np.random.default_rng(0)
    upper = rng.integers(0, 1 << 16, 40_000, dtype=np.uint32) << np.uint32(16)
    lower = rng.choice(np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32), 40_000)
    anything = rng.integers(0, 1 << 32, 40_000, dtype=np.uint32)
    edges = np.array([0, 1 << 31, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x7F800001, 0xFFFFFFFF, 0x00008000], np.uint32)
    return np.concatenate([upper | lower, anything, edges]).view(np.float32)


def test_bfloat16_is_torchs_to_the_bit(held):
    x = patterns()
    bits = amp.bfloat16_bits(x)
    want = torch.tensor(x).to(torch.bfloat16)
    number = ~np.isnan(x)
    theirs = want.view(torch.int16).numpy().view(np.uint16)
    held("bfloat16, bits", "torch.bfloat16", bits[number], theirs[number], 0.0)
    assert np.isnan(amp.from_bfloat16_bits(bits)[~number]).all()
    np.testing.assert_array_equal(amp.from_bfloat16_bits(bits), want.to(torch.float32).numpy())
    np.testing.assert_array_equal(BFLOAT16.round(BFLOAT16.round(x)), BFLOAT16.round(x))
    assert amp.bfloat16_bits(np.float32(1.0)).shape == ()
    assert amp.bfloat16_bits(x.reshape(4, -1)[:, ::2]).shape == (4, x.size // 8)


def test_every_bfloat16_survives_a_round_trip():
    bits = np.arange(1 << 16, dtype=np.uint16)
    wide = amp.from_bfloat16_bits(bits)
    number = ~np.isnan(wide)
    np.testing.assert_array_equal(amp.bfloat16_bits(wide)[number], bits[number])
    assert np.isnan(amp.from_bfloat16_bits(amp.bfloat16_bits(wide))[~number]).all()


@pytest.mark.parametrize("name", PRECISIONS)
@pytest.mark.parametrize(
    "shapes", [((5, 7), (7, 3)), ((2, 5, 7), (7, 3)), ((2, 3, 5, 4), (2, 3, 4, 6)), ((1, 4, 6), (3, 6, 2))]
)
def test_products_and_their_gradients_are_torchs(held, name, shapes):
    """Small integers, whose products and sums both types hold, so that the order of sums cannot matter."""
    precision, dtype = PRECISIONS[name]
    rng = np.random.default_rng(len(shapes[0]))
    a, b = (rng.integers(-2, 3, s).astype(np.float32) for s in shapes)
    ours = [Tensor(x, requires_grad=True) for x in (a, b)]
    theirs = [torch.tensor(x, requires_grad=True) for x in (a, b)]
    y, z = amp.matmul(*ours, precision), torch.matmul(*(x.to(dtype) for x in theirs))
    u = rng.integers(-2, 3, y.shape).astype(np.float32)
    found = [y.data, *(g.data for g in ad.grad(y, ours, u.astype(y.dtype)))]
    gradients = torch.autograd.grad(z, theirs, torch.tensor(u).to(dtype))
    held(f"{name} matmul", "torch.matmul", found, [z.to(torch.float32), *gradients], 0.0)
    assert (y.dtype, found[1].dtype) == (precision.dtype, np.float32)


@pytest.mark.parametrize("name", PRECISIONS)
def test_sums_are_made_in_float32(name):
    precision, dtype = PRECISIONS[name]
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 3000)).astype(np.float32), rng.standard_normal((3000, 4)).astype(np.float32)
    y = amp.matmul(a, b, precision).data.astype(np.float64)
    exact = precision.round(a).astype(np.float64) @ precision.round(b).astype(np.float64)
    # half a unit in the last place of the result, and what float32 lost
    unit = 2.0 ** -(11 if precision is FLOAT16 else 8)
    assert np.max(np.abs(y - exact) / np.abs(exact)) <= unit * 1.01
    # adding one to a growing sum in sixteen bits stops at 2048 or 256; in float32 it does not
    ones = np.ones((1, 4096), np.float32)
    assert amp.matmul(ones, ones.T, precision).item() == 4096
    z = torch.matmul(torch.tensor(a).to(dtype), torch.tensor(b).to(dtype)).to(torch.float64).numpy()
    assert np.max(np.abs(y - z) / np.abs(exact)) <= 2.02 * unit


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_cast_rounds_cotangents_and_gives_them_in_the_wide_type(name):
    precision, dtype = PRECISIONS[name]
    rng = np.random.default_rng(2)
    x, u = rng.standard_normal((2, 50)).astype(np.float32)
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = amp.cast(ours, precision), theirs.to(dtype)
    np.testing.assert_array_equal(y.data, z.detach().to(torch.float32).numpy())
    g = ad.grad(y, ours, u)
    (want,) = torch.autograd.grad(z, theirs, torch.tensor(u).to(dtype))
    np.testing.assert_array_equal(g.data, want.numpy())
    assert g.dtype == np.float32
    # the derivative of rounding is 1, in every order and in both sweeps
    moved = ad.jvp(lambda v: amp.matmul(amp.cast(v, precision).reshape(1, 50), np.eye(50), precision), (x,), (u,))[1]
    np.testing.assert_array_equal(moved.data[0], precision.round(u))
    second = ad.hvp(lambda v: ad.sum(amp.matmul(v.reshape(1, 50), v.reshape(50, 1), FLOAT32)), x, u)
    np.testing.assert_allclose(second.data, 2 * u, rtol=1e-6)


def test_products_need_matrices():
    with pytest.raises(ValueError, match="these have 1 and 2"):
        amp.matmul(np.ones(3), np.ones((3, 3)), FLOAT16)


class Regression:
    """A linear fit whose loss is measured in a unit so large that gradients are about 10⁻⁸."""

    UNIT = 3e-8

    def __init__(self, precision) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((64, 4)).astype(np.float32)
        self.y = self.x @ np.array([[1.0], [-2.0], [0.5], [3.0]], np.float32)
        self.weight = Tensor(np.zeros((4, 1), np.float32), requires_grad=True)
        self.precision = precision
        self.master = MasterWeights([self.weight], precision)
        self.optimizer = optim.Adam(self.master.masters, 0.05, eps=1e-12)

    def loss(self) -> Tensor:
        """The mean square of the error, in its unit; the product in the working type, the rest in float32."""
        error = amp.cast(amp.matmul(self.x, self.weight, self.precision), FLOAT32) - self.y
        return ad.mean(error * error) * self.UNIT

    def train(self, scaler: GradScaler, steps: int = 200) -> float:
        """The error at the end, in units."""
        for _ in range(steps):
            scaler.scale(self.loss()).backward()
            self.master.collect()
            scaler.step(self.optimizer)
            scaler.update()
            self.master.publish()
        return self.loss().item() / self.UNIT


def test_gradients_that_underflow_stop_training_and_scaling_brings_it_back():
    start = Regression(FLOAT16).loss().item() / Regression.UNIT
    wide = Regression(FLOAT32).train(GradScaler(enabled=False))
    lost = Regression(FLOAT16).train(GradScaler(enabled=False))
    scaler = GradScaler(init_scale=2.0**60, growth_interval=50)
    found = Regression(FLOAT16).train(scaler)
    assert wide < 1e-3 * start
    assert lost > 0.5 * start
    assert found < 1e-3 * start
    # the first scale was too large: steps were skipped until it fitted
    assert scaler.get_scale() < 2.0**60


@pytest.mark.parametrize("name", PRECISIONS)
def test_small_updates_add_up_in_the_master_and_are_lost_without_it(name):
    precision = PRECISIONS[name][0]
    weight = Tensor(np.ones(3, np.float32), requires_grad=True)
    master = MasterWeights([weight], precision)
    optimizer = optim.SGD(master.masters, 1.0)
    alone = weight.data.copy()
    for _ in range(1000):
        weight.grad = Tensor(np.full(3, 1e-4).astype(weight.dtype))
        master.collect()
        optimizer.step()
        master.publish()
        alone = precision.round(alone.astype(np.float32) - np.float32(1e-4))
    np.testing.assert_array_equal(alone, np.ones(3))
    np.testing.assert_allclose(master.masters[0].data, 0.9, atol=1e-4)
    np.testing.assert_array_equal(weight.data, precision.round(master.masters[0].data))
    assert weight.dtype == precision.dtype
    assert weight.grad is None


def test_masters_follow_missing_gradients_and_cost_sixteen_bytes():
    a, b = (Tensor(np.ones(2, np.float32), requires_grad=True) for _ in range(2))
    master = MasterWeights([a, b], FLOAT16)
    a.grad = Tensor(np.full(2, 3, np.float16))
    master.collect()
    assert master.masters[0].grad.dtype == np.float32
    assert master.masters[1].grad is None
    assert amp.training_bytes(7_500_000_000, BFLOAT16) == 120_000_000_000
