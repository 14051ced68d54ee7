"""From a function of tensors to a static graph.

Idea      The function runs once on stand-ins for its arrays, forward and backward, and what they note is the graph of the
          whole training step: derivatives need no rules here, since the backward sweep is traced like everything else.
Equation  trace(f, x)(x') = f(x') to the bit, for x' of the shapes and types of x and the same branches
Paper     R. Frostig, M. Johnson, C. Leary, "Compiling machine learning programs via high-level tracing", SysML 2018;
          J. Reed, Z. DeVito, H. He, A. Ussery, J. Ansel, "torch.fx", MLSys 2022.
Cost      One eager run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mlsys_core.autodiff.static.ir import Graph
from mlsys_core.autodiff.static.recorder import Recorder
from mlsys_core.autodiff.static.tracer import Traced
from mlsys_core.autodiff.tape import mode
from mlsys_core.autodiff.tensor import Tensor


@contextmanager
def _standing_in(recorder: Recorder, captured: Sequence[Tensor]) -> Iterator[list[Traced]]:
    """Stand-ins in place of the data of captured tensors; data and gradients are put back at the end."""
    before = [(x.data, x.grad) for x in captured]
    stand_ins = [recorder.input(x.data) for x in captured]
    before_it, mode.tracer = mode.tracer, recorder
    try:
        for x, stand_in in zip(captured, stand_ins, strict=True):
            # it stands for an array and is none
            x.data = stand_in  # type: ignore[assignment]
        yield stand_ins
    finally:
        mode.tracer = before_it
        for x, (data, grad) in zip(captured, before, strict=True):
            x.data, x.grad = data, grad


def trace(f: Callable[..., Any], *examples: Any, captured: Sequence[Tensor] = ()) -> Graph:
    """The graph of f at these examples, which are tensors or arrays; f gives a tensor or several.

    Inputs of the graph are the examples and then the captured tensors (parameters that f reads without being given them).
    A tensor among the examples that requires a gradient does so in f. Whatever else f reads becomes a constant. What f
    leaves in `.grad` of captured tensors, or changes in place in inputs, is forgotten: let it return such values. Raises
    TraceError for what a static graph cannot hold, and draws no random numbers.
    """
    recorder = Recorder(Traced)
    given = [recorder.input(np.asarray(x.data if isinstance(x, Tensor) else x)) for x in examples]
    wanted = [isinstance(x, Tensor) and x.requires_grad for x in examples]
    with _standing_in(recorder, captured) as stand_ins:
        results = f(*(Tensor(x, requires_grad=on) for x, on in zip(given, wanted, strict=True)))
        several = results if isinstance(results, tuple | list) else (results,)
        places = [recorder.place_of(x.data if isinstance(x, Tensor) else x) for x in several]
    return recorder.graph(list(range(len(given) + len(stand_ins))), places)
