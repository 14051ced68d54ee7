"""The tensor: an ndarray that remembers how it was computed.

Idea      Operator overloading: a program written for arrays records its own graph while it runs ("define by run").
Equation  y = op(x₁, …, xₙ) stores y.data, op, (x₁, …, xₙ) and y.serial; serial numbers rise, so inputs are always older.
Paper     A. G. Baydin et al., "Automatic differentiation in machine learning: a survey", JMLR 18(153), 2018, section 5;
          A. Paszke et al., "PyTorch", NeurIPS 2019.
Cost      One small object an operation that needs a gradient; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from mlsys_core.autodiff.tape import LEAF, Array, Op, asarray, mode

_serial = count().__next__
_new = object.__new__


class Tensor:
    """An n-dimensional array with a gradient.

    data           ndarray; float32 stays float32, float64 stays float64
    grad           Tensor of the same shape, or None; filled by `backward` on leaves that require it
    requires_grad  whether derivatives with respect to this tensor, or to something it was computed from, are wanted
    op, parents, saved, serial   the record (see tape.py); a leaf has the op LEAF
    """

    __slots__ = ("__weakref__", "data", "grad", "op", "parents", "requires_grad", "saved", "serial")

    data: Array
    grad: Tensor | None
    requires_grad: bool
    op: Op
    parents: tuple[Tensor, ...]
    saved: tuple[Any, ...]
    serial: int

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:  # noqa: FBT001, FBT002 - as in torch
        """A leaf around data: an ndarray is shared and not copied; lists and numbers become arrays.

        Raises TypeError when a gradient is wanted for data that is not of a floating type.
        """
        self.data = asarray(data.data if isinstance(data, Tensor) else data, dtype=dtype)
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(
                f"Only floating tensors have gradients, and this one is {self.data.dtype}: give dtype=float."
            )
        self.grad = None
        self.requires_grad = requires_grad
        self.op = LEAF
        self.parents = ()
        self.saved = ()
        self.serial = -1

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        shape: tuple[int, ...] = self.data.shape
        return shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.data.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was given rather than computed by a recorded operation."""
        return self.op is LEAF

    @property
    def T(self) -> Tensor:  # noqa: N802 - the field's name
        """All axes reversed."""
        return ops.transpose(self)

    def numpy(self) -> Array:
        """The ndarray itself, not a copy."""
        return self.data

    def item(self) -> float:
        """The one element as a Python number."""
        value: float = self.data.item()
        return value

    def detach(self) -> Tensor:
        """The same data with no history."""
        return Tensor(self.data)

    def zero_grad(self) -> None:
        """Forgets the gradient."""
        self.grad = None

    def backward(self, grad: Any = None, *, create_graph: bool = False, retain_graph: bool = True) -> None:
        """Adds d(self)/d(leaf), contracted with the cotangent `grad`, to `.grad` of every leaf that requires it.

        `grad` has the shape of self; without it self must have one element. With create_graph the gradients are recorded
        and can be differentiated again. Without retain_graph the sweep gives back memory as it goes, and there can be no
        second one.
        """
        graph.backward(self, grad, create_graph=create_graph, retain_graph=retain_graph)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - numpy's protocol
        return np.array(self.data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """numpy's functions on tensors are ours, so that one rule can be written for arrays and tensors."""
        ours = ops.UFUNCS.get(ufunc)
        if ours is None or method != "__call__" or options:
            return NotImplemented
        return ours(*inputs)

    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.sub(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.sub(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.mul(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.mul(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.div(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.div(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.pow(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.pow(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.neg(self)

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self.data)))

    def sum(self, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Tensor:
        """See `ops.sum`."""
        return ops.sum(self, axis, keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Tensor:
        """See `ops.mean`."""
        return ops.mean(self, axis, keepdims=keepdims)

    def max(self, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Tensor:
        """See `ops.max`."""
        return ops.max(self, axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Tensor:
        """See `ops.reshape`; the lengths may come as one tuple or one by one."""
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """See `ops.transpose`; the axes may come as one tuple or one by one."""
        return ops.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def swapaxes(self, a: int, b: int) -> Tensor:
        """See `ops.swapaxes`."""
        return ops.swapaxes(self, a, b)

    def __repr__(self) -> str:
        made = f", op={self.op.name}" if self.op is not LEAF else ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({np.array2string(self.data, separator=', ')}, dtype={self.data.dtype}{made})"


def record(op: Op, data: Any, parents: tuple[Tensor, ...], saved: tuple[Any, ...] = ()) -> Tensor:
    """The result of op, with its history when recording is on and some parent needs a gradient."""
    out = _new(Tensor)
    # numpy gives scalars for results without axes
    out.data = data if type(data) is np.ndarray else asarray(data)
    out.grad = None
    if mode.recording:
        for parent in parents:
            if parent.requires_grad:
                out.requires_grad = True
                out.op = op
                out.parents = parents
                out.saved = saved
                out.serial = _serial()
                return out
    if mode.watcher is not None:
        mode.watcher.read(parents)
    out.requires_grad = False
    out.op = LEAF
    out.parents = out.saved = ()
    out.serial = -1
    return out


def tensor(x: Any) -> Tensor:
    """x itself when it is a tensor, else a constant around it."""
    return x if isinstance(x, Tensor) else Tensor(x)


def pair(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Two operands as tensors; a Python number takes the other's floating type, so that float32 stays float32."""
    if isinstance(a, Tensor):
        return a, b if isinstance(b, Tensor) else _constant(b, a.data.dtype)
    return (_constant(a, b.data.dtype), b) if isinstance(b, Tensor) else (Tensor(a), Tensor(b))


def _constant(x: Any, like: np.dtype[Any]) -> Tensor:
    return Tensor(x, dtype=like if like.kind == "f" and isinstance(x, int | float) else None)


# Operators are written with operations and operations with Tensor, so the class must exist before they are imported.
from mlsys_core.autodiff import graph, ops  # noqa: E402
