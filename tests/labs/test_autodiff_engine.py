"""The engine of Lab 1's solution against torch: values, first derivatives, and derivatives of those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grader.inside.cells import read_cells
from grader.inside.program import Program

torch = pytest.importorskip("torch")

NOTEBOOK = Path(__file__).resolve().parents[2] / "labs" / "autodiff" / "notebook.ipynb"
# Over a (3, 4) and positive, b (4,), w (4, 2); `turned`, `largest` and `norm` are spelled differently by ours and theirs.
EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    "sub, broadcasting": lambda x: x.a - x.b,
    "div": lambda x: x.b / x.a,
    "pow": lambda x: x.a**2.5,
    "log": lambda x: x.a.log(),
    "tanh": lambda x: (x.a * x.b).tanh(),
    "matmul": lambda x: x.a @ x.w,
    "sum": lambda x: (x.a * x.b).sum(0),
    "transpose, getitem": lambda x: x.turned(x.a)[np.array([3, 0, 3])],
    "softmax": lambda x: (x.a * x.b).softmax(-1),
    "logsumexp": lambda x: (x.a * x.b).logsumexp(1),
    "max": lambda x: x.largest(x.a * x.b),
    "layer_norm": lambda x: x.norm(x.a, x.b, x.b * x.b),
}


@pytest.fixture(scope="module")
def engine() -> Any:
    """The solution's namespace, in this process."""
    program = Program()
    assert program.load(read_cells(NOTEBOOK)) == []
    return program.namespace


@pytest.mark.parametrize("name", list(EXPRESSIONS))
@pytest.mark.parametrize("seed", [0, 1])
def test_first_and_second_derivatives_agree_with_torch(engine: Any, name: str, seed: int):
    rng = np.random.default_rng(seed)
    arrays = {"a": rng.uniform(0.5, 2, size=(3, 4)), "b": rng.normal(size=4), "w": rng.normal(size=(4, 2))}
    ours = {key: engine.Tensor(array, requires_grad=True) for key, array in arrays.items()}
    theirs = {key: torch.tensor(array, requires_grad=True) for key, array in arrays.items()}
    got, want = EXPRESSIONS[name](spelled_ours(engine, ours)), EXPRESSIONS[name](spelled_theirs(theirs))
    assert_all_close([got], [want])
    cotangent, *weights = (rng.normal(size=shape) for shape in (got.shape, *(array.shape for array in arrays.values())))
    first = engine.grad(got, list(ours.values()), engine.Tensor(cotangent))
    expected = torch_grad(want, list(theirs.values()), torch.tensor(cotangent))
    assert_all_close(first, expected)
    second = engine.grad(weighted(first, weights, engine.Tensor), list(ours.values()))
    assert_all_close(second, torch_grad(weighted(expected, weights, torch.tensor), list(theirs.values())))


def spelled_ours(engine: Any, tensors: dict[str, Any]) -> SimpleNamespace:
    """The operands, and the operations as the lab's engine spells them."""
    return SimpleNamespace(
        **tensors, turned=lambda t: t.transpose((1, 0)), largest=lambda t: t.max(-1), norm=engine.layer_norm
    )


def spelled_theirs(tensors: dict[str, Any]) -> SimpleNamespace:
    """The same for torch."""
    norm = torch.nn.functional.layer_norm
    return SimpleNamespace(
        **tensors, turned=lambda t: t.T, largest=lambda t: t.amax(-1), norm=lambda x, w, b: norm(x, (4,), w, b)
    )


def torch_grad(output: Any, inputs: Sequence[Any], cotangent: Any = None) -> Sequence[Any]:
    """Gradients as graphs; zeros where nothing is connected, as the lab's `grad` has it."""
    if not output.requires_grad:
        return [torch.zeros_like(one) for one in inputs]
    return torch.autograd.grad(output, inputs, cotangent, create_graph=True, materialize_grads=True)


def weighted(parts: Sequence[Any], weights: Sequence[np.ndarray], kind: Callable[[Any], Any]) -> Any:
    """Σ ⟨weight, part⟩ as a graph."""
    return sum((part * kind(weight)).sum() for part, weight in zip(parts, weights, strict=True))


def assert_all_close(got: Sequence[Any], want: Sequence[Any]) -> None:
    """Ours beside torch's, in float64."""
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)
