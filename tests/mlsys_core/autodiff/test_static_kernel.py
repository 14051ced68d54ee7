"""Fused kernels, in C and in tiles, give what numpy gives step by step, to the bit, in one pass and in every layout."""

from __future__ import annotations

import numpy as np
import pytest

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import static
from mlsys_core.autodiff.static import Executor, kernel, native
from mlsys_core.autodiff.static.passes import CLEANING
from tests.mlsys_core.autodiff import draws

needs_compiler = pytest.mark.skipif(native.compiler() is None, reason="no C compiler on this machine")
# each of these is arithmetic that C and numpy round alike
EXACT = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a, _: -a,
    "abs": lambda a, _: np.abs(a),
    "sqrt": lambda a, _: np.sqrt(np.abs(a)),
    "square": lambda a, _: np.square(a),
    "reciprocal": lambda a, _: np.reciprocal(a),
    "maximum": np.maximum,
    "minimum": lambda a, b: np.minimum(a, 0.25 * b),
    "choice": lambda a, b: np.where(a > b, a, 0.5 * b),
    "mask": lambda a, b: (a >= 0.1) * b,
    "counted": lambda a, b: (a == b) / 3.0 + (a != a) * 2.0 + (a < b) * a - (a <= 1) * b,  # noqa: PLR0124
    "narrow": lambda a, b: a.astype(np.float32) * b,
    "weak": lambda a, _: 3 * a - 0.1,
    "strong": lambda a, _: np.float64(0.1) * a + np.float32(2),
    "infinite": lambda a, b: np.minimum(np.maximum(a, -np.inf), np.inf) + b * np.nan * 0,
}


@pytest.fixture
def always_compiled(monkeypatch):
    """Small arrays too go through the C compiler."""
    monkeypatch.setattr(kernel, "WORTH_COMPILING", 1)


def fused(run, *inputs):
    """The executors of a function with fusion and without, and how many kernels there are."""
    clean = static.optimize(static.trace(lambda *xs: run(*(x.data for x in xs)), *inputs), CLEANING)
    graph = static.optimize(clean)
    return Executor(graph), Executor(clean), [n.op.run for n in graph.nodes if n.op.kind == "fused"]


def equal(got, want):
    """The same bits, whatever NaN looks like."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert got.strides == want.strides
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got)[got == 0], np.signbit(want)[want == 0])


def chain(seed: int, names=tuple(EXACT)):
    """A random composition of the operations above."""
    rng = np.random.default_rng(seed)
    chosen = [*rng.choice(names, 7), "add"]

    def run(x, y):
        values = [x, y]
        for name in chosen:
            i, j = rng_indices[name, len(values)]
            values.append(EXACT[name](values[i], values[j]))
        return values[-1]

    rng_indices = {(name, n): (n - 1, int(rng.integers(n))) for name in EXACT for n in range(2, 11)}
    return run


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(4))
def test_c_rounds_as_numpy_does(always_compiled, dtype, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 33, 7)).astype(dtype)
    for v in (x, y):
        v.ravel()[rng.integers(0, v.size, 30)] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42] * 5
    quick, slow, kernels = fused(chain(seed), x, y)
    equal(quick(x, y)[0], slow(x, y)[0])
    assert kernels
    assert all(any(k.compiled.values()) for k in kernels)


@needs_compiler
@pytest.mark.parametrize("name", EXACT)
def test_each_operation_is_written_in_c(always_compiled, name):
    rng = np.random.default_rng(len(name))
    x, y = rng.standard_normal((2, 1001)).astype(np.float32)
    # each beside an ordinary number on the other side
    for v, at in ((x, slice(0, 12, 2)), (y, slice(1, 13, 2))):
        v[at] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42]
    quick, slow, kernels = fused(lambda x, y: EXACT[name](x, y) * 0.5, x, y)
    equal(quick(x, y)[0], slow(x, y)[0])
    assert len(kernels) == 1
    assert all(kernels[0].compiled.values())


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_compiler), False])
@pytest.mark.parametrize("seed", range(8))
def test_every_layout_and_every_broadcast_fits(monkeypatch, compiled, seed):
    monkeypatch.setattr(kernel, "WORTH_COMPILING", 1 if compiled else 1 << 60)
    monkeypatch.setattr(kernel, "TILE", 8)
    rng = np.random.default_rng(seed)
    full = draws.shape(rng, 1, 3)
    x = draws.normal(rng, full)
    y = draws.normal(rng, draws.narrowed(rng, full))
    quick, slow, kernels = fused(lambda x, y: (x * y + 1.0) * x - y, x, y)
    equal(quick(x, y)[0], slow(x, y)[0])
    # arrays of another layout than the traced ones
    other = np.array(x[::-1], order="F")[::-1]
    np.testing.assert_array_equal(quick(other, y)[0], slow(x, y)[0])
    assert len(kernels) == 1
    assert any(kernels[0].compiled.values()) == compiled


def test_without_a_compiler_kernels_run_in_tiles(monkeypatch):
    monkeypatch.setattr(native, "compiler", lambda: None)
    native._built.cache_clear()
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 3, 50_001)).astype(np.float32)
    quick, slow, kernels = fused(lambda x, y: (x * y + x) / 3.0, x, y)
    equal(quick(x, y)[0], slow(x, y)[0])
    assert list(kernels[0].compiled.values()) == [None]
    native._built.cache_clear()


@needs_compiler
def test_a_compiler_that_fails_is_no_error(monkeypatch):
    monkeypatch.setattr(native, "FLAGS", ("--no-such-flag",))
    native._built.cache_clear()
    assert native._built("void kernel(void **arrays) {}") is None
    native._built.cache_clear()


def test_functions_that_c_rounds_otherwise_stay_with_numpy():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((70, 1000)).astype(np.float32)
    quick, slow, kernels = fused(lambda x: np.tanh(np.exp(x) * 0.1) + x, x)
    equal(quick(x)[0], slow(x)[0])
    assert list(kernels[0].compiled.values()) == [None]


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 4), (1, 9, 1), (0, 3), (3, 0)], ids=str)
@pytest.mark.parametrize("limit", [1, 4, 100])
def test_tiles_cover_each_element_once(shape, limit):
    count = np.zeros(shape, int)
    sizes = []
    for index in kernel.tiles(shape, limit):
        count[index] += 1
        sizes.append(count[index].size)
    assert (count == 1).all()
    assert max(sizes, default=0) <= limit


def test_a_pass_touches_memory_once(monkeypatch):
    """Tiles of intermediate values are all that a kernel allocates."""
    monkeypatch.setattr(kernel, "WORTH_COMPILING", 1 << 60)
    made = []
    empty = np.empty
    x = np.random.default_rng(0).standard_normal(1_000_000)
    quick, _, _ = fused(lambda x: np.sqrt(np.abs(x * 2.0 - 1.0) + x) * x, x)
    monkeypatch.setattr(np, "empty", lambda *a, **k: made.append(empty(*a, **k)) or made[-1])
    quick(x)
    assert sorted(m.size for m in made) == [kernel.TILE, kernel.TILE, x.size]


def test_a_kernel_may_write_over_its_operand():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 400)).astype(np.float32)

    def run(x):
        y = x @ ad.transpose(x)
        return ad.sum((y * 2.0 + 1.0) * y - y)

    graph = static.optimize(static.trace(run, x))
    plan = static.plan(graph)
    assert plan.nbytes < 2 * 300 * 300 * 4
    np.testing.assert_array_equal(Executor(graph, plan)(x)[0], run(ad.Tensor(x)).data)
