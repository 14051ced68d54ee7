"""The oracle of this folder: an operation's value and derivatives of first and second order are torch's, in float64, to 1e-9.

Cotangents and tangents are random, since a sum of outputs is blind to transposes, permutations and to all of softmax.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff.draws import Array

TOLERANCE = 1e-9
SEEDS = range(8)

torch.set_num_threads(1)
with warnings.catch_warnings():
    # the first forward derivative of a process makes torch compile rules by a function that torch itself deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    torch.func.jvp(torch.sin, (torch.ones(1),), (torch.ones(1),))


@dataclass(frozen=True)
class Trial:
    """One function in two worlds: `ours` on tensors, `theirs` on torch's, both at the same inputs."""

    inputs: Sequence[Array]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """A way to draw trials of an exported operation."""

    op: Callable[..., Any]
    draw: Callable[[np.random.Generator], Trial]
    label: str

    def __str__(self) -> str:
        return self.label

    def trial(self, seed: int) -> Trial:
        """The trial of a seed; other cases have no influence on it."""
        return self.draw(self.generator(seed))

    def generator(self, seed: int) -> np.random.Generator:
        """Numbers that belong to this case and seed."""
        return np.random.default_rng([seed, crc32(self.label.encode())])

    def hold(self, seed: int) -> None:
        """Compares the trial of a seed with torch."""
        hold(self.trial(seed), np.random.default_rng([seed, 1]))


class Table(list[Case]):
    """The cases of one family of operations."""

    def of(
        self, op: Callable[..., Any], label: str = ""
    ) -> Callable[[Callable[[np.random.Generator], Trial]], Callable[[np.random.Generator], Trial]]:
        """Enters the decorated draw as a comparison of op with torch."""

        def enter(draw: Callable[[np.random.Generator], Trial]) -> Callable[[np.random.Generator], Trial]:
            self.append(Case(op, draw, label or draw.__name__))
            return draw

        return enter


def tables() -> dict[str, Table]:
    """The cases of each test file here that has some, by the name of its module."""
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    names = [f"{__name__.rpartition('.')[0]}.{f.stem}" for f in files if "\nCASES = Table()\n" in f.read_text()]
    return {name: importlib.import_module(name).CASES for name in names}


def tupled(outputs: Any) -> tuple[Any, ...]:
    """Outputs as a tuple, also when there is one."""
    return tuple(outputs) if isinstance(outputs, list | tuple) else (outputs,)


def in_torch(x: Any, *, wanted: bool = False) -> torch.Tensor:
    """A copy in torch, which knows no negative strides."""
    return torch.tensor(np.array(x), requires_grad=wanted)


def same(what: str, got: Any, want: Any, tolerance: float = TOLERANCE) -> None:
    """Fails with the name of what differs; shapes are compared too, since numpy's comparison broadcasts."""
    got = got.data if isinstance(got, Tensor) else got
    want = want.numpy(force=True) if isinstance(want, torch.Tensor) else np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, torch has {want.shape}"
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance, equal_nan=False, err_msg=what)


def same_all(what: str, got: Sequence[Any], want: Sequence[Any]) -> None:
    """`same` for each of several, numbered."""
    assert len(got) == len(want), f"{what}: {len(got)} results, torch has {len(want)}"
    for i, (mine, other) in enumerate(zip(got, want, strict=True)):
        same(f"{what} {i}", mine, other)


class Oracle:
    """What torch says of a trial, for random cotangents and tangents."""

    def __init__(self, trial: Trial, rng: np.random.Generator) -> None:
        xs = [in_torch(x, wanted=True) for x in trial.inputs]
        ys = tupled(trial.theirs(*xs))
        self.values = [y.detach() for y in ys]
        self.cotangents = [np.asarray(rng.standard_normal(y.shape)) for y in ys]
        self.tangents = [np.asarray(rng.standard_normal(x.shape)) for x in xs]
        us = [in_torch(u, wanted=True) for u in self.cotangents]
        vs = [in_torch(v) for v in self.tangents]
        self.gradients = torch.autograd.grad(ys, xs, us, create_graph=True, materialize_grads=True)
        # with respect to inputs and cotangents of <gradients, tangents>, which is also <cotangents, moved>
        # torch drops the history of a share that is empty or zero
        live = [i for i, g in enumerate(self.gradients) if g.requires_grad]
        self.second = torch.autograd.grad(
            [self.gradients[i] for i in live], (*xs, *us), [vs[i] for i in live], materialize_grads=True
        )
        self.moved = tupled(torch.func.jvp(trial.theirs, tuple(x.detach() for x in xs), tuple(vs))[1])


def hold(trial: Trial, rng: np.random.Generator) -> None:
    """Compares values, both sweeps over numbers, both sweeps as graphs, and what is differentiated through each."""
    before = [x.copy() for x in trial.inputs]
    oracle = Oracle(trial, rng)
    xs = [Tensor(x, requires_grad=True) for x in trial.inputs]
    ys = tupled(trial.ours(*xs))
    same_all("value", ys, oracle.values)
    assert all(y.dtype == np.float64 for y in ys)
    same_all("gradient", ad.grad(ys, xs, oracle.cotangents), oracle.gradients)
    _hold_backward(xs, ys, oracle)
    _hold_second_order(xs, ys, oracle)
    _hold_forward(trial, xs, oracle)
    same_all("input after use", trial.inputs, before)


def _hold_backward(xs: list[Tensor], ys: tuple[Tensor, ...], oracle: Oracle) -> None:
    for y, u in zip(ys, oracle.cotangents, strict=True):
        y.backward(u)
    same_all(".grad", [x.grad for x in xs], oracle.gradients)
    assert all(x.grad.dtype == x.dtype for x in xs)


def _hold_second_order(xs: list[Tensor], ys: tuple[Tensor, ...], oracle: Oracle) -> None:
    us = [Tensor(u, requires_grad=True) for u in oracle.cotangents]
    gradients = ad.grad(ys, xs, us, create_graph=True)
    same_all("gradient as a graph", gradients, oracle.gradients)
    same_all("second derivative", ad.grad(gradients, [*xs, *us], oracle.tangents), oracle.second)


def _hold_forward(trial: Trial, xs: list[Tensor], oracle: Oracle) -> None:
    moved = tupled(ad.jvp(trial.ours, trial.inputs, oracle.tangents)[1])
    same_all("tangent", moved, oracle.moved)
    vs = [Tensor(v, requires_grad=True) for v in oracle.tangents]
    moved = tupled(ad.jvp(trial.ours, xs, vs)[1])
    same_all("tangent as a graph", moved, oracle.moved)
    found = ad.grad(moved, [*xs, *vs], oracle.cotangents)
    same_all("reverse over forward", found, (*oracle.second[: len(xs)], *oracle.gradients))
