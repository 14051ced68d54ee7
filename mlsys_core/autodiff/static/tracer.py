"""The array that writes down what is done to it.

Idea      A stand-in for an ndarray computes each step as numpy does and notes it as a node. It obeys numpy's protocols, so
          the program (and every derivative rule, in its fast form) runs unchanged. It is no ndarray, and what tries to
          read numbers out of it without a note is refused: nothing becomes a constant silently.
Equation  traced(f)(x) = (f(x), the nodes that lead from x to f(x))
Paper     R. Frostig, M. Johnson, C. Leary, "Compiling machine learning programs via high-level tracing", SysML 2018.
Cost      One run of the program, with every array of it kept until the trace ends.

Changes in place are turned into new values. A view of an array that has changed since, and an array of which a view has
changed, are refused; `x[i] -= y`, which Python spells as view, change, store, is understood.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from mlsys_core.autodiff.static import operations
from mlsys_core.autodiff.static.operations import CAST, COPIES, FUNCTIONS, GATHER, SET_ITEM, SLICE, VIEWS
from mlsys_core.autodiff.static.recorder import Recorder, TraceError
from mlsys_core.autodiff.tape import Array, TracedArray


class Traced(NDArrayOperatorsMixin, TracedArray):
    """A value of a traced program: its array, the place of its node, and whose memory it is a view of."""

    # as an ndarray, it is compared element by element
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, recorder: Recorder, place: int, value: Array, root: Traced | None = None) -> None:
        self.recorder = recorder
        self.place = place
        self.value = value
        self.root = root
        self.version = 0
        self.seen = root.version if root is not None else 0
        self.changed_view: Traced | None = None

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    flags = property(lambda self: self.value.flags)
    base = property(lambda self: self.root)
    T = property(lambda self: self.transpose())

    @property
    def memory(self) -> Traced:
        """The array whose memory this is: itself when it is no view."""
        return self if self.root is None else self.root

    def check(self) -> None:
        """Raises TraceError when the memory that this value names has changed behind it."""
        if self.changed_view is not None or (self.root is not None and self.root.version != self.seen):
            raise TraceError(
                "An array is read after it was changed through a view of it, or a view after its array changed. "
                "A trace cannot follow that: copy the view first."
            )

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        """The truth of one element, noted as a guard: the trace holds for inputs that take the same branch."""
        self.check()
        return self.recorder.guard(self.place, truth=bool(self.value))

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TraceError(
            "The program takes numbers out of a traced array, so they would be constants of the trace. Use a function "
            "that the trace knows, or do this outside of the traced function."
        )

    def item(self) -> Any:
        """Refused, since the number would be a constant of the trace."""
        return self.__array__()

    __float__ = __int__ = __index__ = item

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", (None,))[0]
        if method == "at":
            raise TraceError(f"np.{ufunc.__name__}.at changes an array in place: mark the function as a primitive.")
        if out is not None and not isinstance(out, Traced):
            raise TraceError("A traced value is written into an array that is no part of the trace.")
        found = self._note(operations.ufunc(ufunc, method), inputs, kwargs)
        if out is None:
            return found
        out.assign(found if found.dtype == out.dtype else found.astype(out.dtype))
        return out

    def __array_function__(self, function: Any, _types: Any, args: Any, options: Any) -> Any:
        if function in {np.zeros_like, np.ones_like, np.empty_like}:
            return function(args[0].value, *args[1:], **options)
        if function not in FUNCTIONS:
            raise TraceError(f"np.{function.__name__} is not known to the trace.")
        return self._note(FUNCTIONS[function], args, options)

    def _note(self, op: Any, args: tuple[Any, ...], options: dict[str, Any] | None = None) -> Traced:
        return self.recorder.note(op, args, options or {})

    def assign(self, new: Traced) -> None:
        """Takes over the value of another: what a change in place is in a trace."""
        self.check()
        if new.shape != self.shape:
            raise ValueError(f"A result of shape {new.shape} does not fit into the array of shape {self.shape}.")
        self.place, self.value = new.place, new.value
        self.version += 1
        if self.root is not None:
            self.root.version += 1
            self.root.changed_view = self
            self.seen = self.root.version

    def __getitem__(self, index: Any) -> Traced:
        taken = self.recorder.evaluate(index)
        basic = np.may_share_memory(self.value[taken], self.value) if self.size else True
        return self._note(SLICE if basic else GATHER, (self, index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if value is self.changed_view and value is not None:
            # the end of `x[i] -= y`: the store makes the array whole again
            self.changed_view, value.root = None, None
        self.assign(self._note(SET_ITEM, (self, index, value)))

    def _moved(self, name: str, *args: Any) -> Traced:
        result = getattr(self.value, name)(*args)
        shared = np.may_share_memory(result, self.value) if self.size else True
        return self._note((VIEWS if shared else COPIES)[name], (self, *args))

    def reshape(self, *shape: Any) -> Traced:
        """As of an ndarray."""
        return self._moved("reshape", shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Traced:
        """As of an ndarray."""
        return self._moved("reshape", -1)

    def transpose(self, *axes: Any) -> Traced:
        """As of an ndarray."""
        return self._moved("transpose", axes[0] if len(axes) == 1 else axes or None)

    def swapaxes(self, a: int, b: int) -> Traced:
        """As of an ndarray."""
        return self._moved("swapaxes", a, b)

    def squeeze(self, axis: Any = None) -> Traced:
        """As of an ndarray."""
        return self._moved("squeeze", axis)

    def astype(self, dtype: Any, *, copy: bool = True) -> Any:
        """As of an ndarray."""
        return self if self.dtype == dtype and not copy else self._note(CAST, (self, np.dtype(dtype)))

    def copy(self) -> Any:
        """As of an ndarray."""
        return self.astype(self.dtype)

    def mean(self, axis: Any = None, **options: Any) -> Traced:
        """As of an ndarray."""
        return self._note(FUNCTIONS[np.mean], (self,), {"axis": axis, **options})

    def _reduced(self, function: np.ufunc, axis: Any, options: dict[str, Any]) -> Traced:
        return self._note(operations.ufunc(function, "reduce"), (self,), {"axis": axis, **options})

    def sum(self, axis: Any = None, **options: Any) -> Traced:
        """As of an ndarray."""
        return self._reduced(np.add, axis, options)

    def max(self, axis: Any = None, **options: Any) -> Traced:
        """As of an ndarray."""
        return self._reduced(np.maximum, axis, options)

    def any(self, axis: Any = None, **options: Any) -> Traced:
        """As of an ndarray."""
        return self._reduced(np.logical_or, axis, options)

    def all(self, axis: Any = None, **options: Any) -> Traced:
        """As of an ndarray."""
        return self._reduced(np.logical_and, axis, options)
