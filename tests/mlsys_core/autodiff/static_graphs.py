"""Random static graphs for the tests of passes, plans and kernels: a random program with its gradients, traced."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import static
from mlsys_core.autodiff.static import Executor, Graph, GuardError, Plan
from tests.mlsys_core.autodiff.draws import Array
from tests.mlsys_core.autodiff.test_expressions import OPERATIONS, SHAPES, Step, program

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PROGRAMS = {
    "shapes": st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3),
    "steps": st.lists(
        st.tuples(st.sampled_from((*OPERATIONS, "dropout", "relu", "max")), st.integers(0, 4), st.integers(0, 9)),
        min_size=2,
        max_size=12,
    ),
    "seed": st.integers(0, 2**32 - 1),
}


class Library:
    """Our engine with three more operations of one operand, one of them random; all else as it is."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def step(self, name: str, a: Any) -> Any:
        """The operation of this name."""
        if name == "dropout":
            return ad.dropout(a, 0.3, self.rng)
        return ad.relu(a) if name == "relu" else ad.max(a, 0, keepdims=True) if a.ndim else a


def with_gradients(steps: list[Step], library: Library) -> Any:
    """A function of tensors: the values of a random program and their gradients in all inputs."""

    def run(*inputs: Any) -> tuple[Any, ...]:
        values = list(inputs)
        for name, first, second in steps:
            a, b = values[-1 - first % len(values)], values[-1 - second % len(values)]
            known = name in OPERATIONS
            # the outputs of a program end with its last value and the sum of its inputs
            values.append(program(ad, [(name, 1, 0)])(b, a)[1] if known else library.step(name, a))
        loss = ad.sum(values[-1] * values[-1])
        for x in inputs:
            loss = loss + ad.sum(x * x)
        return (*values[-2:], loss, *ad.grad(loss, inputs))

    return run


def drawn(shapes: list[tuple[int, ...]], seed: int) -> list[Array]:
    """An array of each shape, between -1 and 1."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.uniform(-1, 1, shape)) for shape in shapes]


class Traced:
    """A random program and its graph, made with other numbers than those that it is then run with."""

    def __init__(self, shapes: list[tuple[int, ...]], steps: list[Step], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.run = with_gradients(steps, Library(self.rng))
        self.examples = [ad.Tensor(x, requires_grad=True) for x in drawn(shapes, seed + 1)]
        self.inputs = drawn(shapes, seed)
        self.graph = static.trace(self.run, *self.examples)
        self.expected = self.eager()

    def eager(self) -> list[Array]:
        """What the program gives without a graph."""
        self.rng.bit_generator.state = np.random.default_rng(self.seed).bit_generator.state
        return [y.data for y in self.run(*(ad.Tensor(x, requires_grad=True) for x in self.inputs))]

    def holds(self, graph: Graph, plan: Plan | None = None) -> None:
        """The graph gives the program's numbers to the bit, twice, whatever the arena held, and leaves its inputs."""
        before = [x.copy() for x in self.inputs]
        execute = Executor(graph, plan)
        for _ in range(2):
            self.rng.bit_generator.state = np.random.default_rng(self.seed).bit_generator.state
            execute.arena[...] = 0xFF  # NaN
            try:
                found = execute(*self.inputs)
            except GuardError:
                assume(False)
            for got, want in zip(found, self.expected, strict=True):
                assert got.shape == want.shape
                assert got.dtype == want.dtype
                np.testing.assert_array_equal(got, want)
        for x, was in zip(self.inputs, before, strict=True):
            np.testing.assert_array_equal(x, was)
