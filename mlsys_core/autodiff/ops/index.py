"""Reading by index, and its transpose: adding into zeros at the same index.

Idea      Gathering is linear; an element that is read twice is used twice, so its shares are added.
Equation  yᵢ = x[kᵢ]:   x̄ⱼ = Σ_{i: kᵢ = j} ȳᵢ
Paper     A. Griewank, A. Walther, "Evaluating Derivatives", SIAM, 2nd ed. 2008, section 3.2 (incremental adjoints);
          embeddings as gathers: Y. Bengio et al., "A neural probabilistic language model", JMLR 3, 2003.
Cost      Slices are views and write back in one pass. Rows of a table by n integers: n·d reads; backward sorts the
          integers once, n log n, and adds runs of equal rows, instead of n scattered additions.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from mlsys_core.autodiff.tape import Array, Of, Op, Value, asarray, primitive
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def _plain(index: Any) -> Any:
    """The index in numpy's terms: tensors and lists become arrays."""
    if isinstance(index, tuple):
        return tuple(_plain(i) for i in index)
    if isinstance(index, Tensor):
        return index.data
    # numpy's arrays of nothing are floating, and its indices of nothing are integers
    return np.asarray(index, dtype=None if index else np.intp) if isinstance(index, list) else index


def _reads_once(index: Any) -> bool:
    """Whether no element can be read twice: slices, single integers, new axes and boolean masks."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        i is None
        or isinstance(i, int | np.integer | slice | EllipsisType | np.bool_)
        or (isinstance(i, np.ndarray) and i.dtype.kind == "b")
        for i in items
    )


def _add_rows(out: Array, rows: Array, values: Array) -> None:
    """out[rows[i]] += values[i], with equal rows summed in runs."""
    if not rows.size:
        return
    # bytes are common indices, and too narrow to add the length to
    rows = rows.astype(np.intp).ravel()
    rows = np.where(rows < 0, rows + len(out), rows)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    out[ordered[starts]] = np.add.reduceat(values.reshape(rows.size, *out.shape[1:])[order], starts, axis=0)


@primitive()
def _scatter(values: Array, index: Any, shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, values.dtype)
    if _reads_once(index):
        out[index] = values
    elif isinstance(index, np.ndarray):
        _add_rows(out, index, values)
    else:
        np.add.at(out, index, values)
    return out


def scatter(values: Value, index: Any, shape: tuple[int, ...]) -> Value:
    """Zeros of this shape with values, array or tensor, added at index."""
    if isinstance(values, Tensor):
        return record(SCATTER, _scatter(values.data, index, shape), (values,), (index,))
    return _scatter(values, index, shape)


def _getitem_vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
    return (scatter(g, out.saved[0], out.parents[0].data.shape),)


GETITEM = Op("getitem", _getitem_vjp, lambda t, out, _of: t[0][out.saved[0]])
SCATTER = Op(
    "scatter", lambda g, out, _of: (g[out.saved[0]],), lambda t, out, _of: scatter(t[0], out.saved[0], out.data.shape)
)


def getitem(a: Any, index: Any) -> Tensor:
    """a[index] for every kind of index that numpy has; slices give views."""
    a = tensor(a)
    index = _plain(index)
    return record(GETITEM, a.data[index], (a,), (index,))


def take(a: Any, indices: Any, axis: int = 0) -> Tensor:
    """The slices of a at integer indices along an axis; the axes of indices take that axis' place."""
    a = tensor(a)
    at = normalize_axis_index(axis, a.ndim)
    rows = asarray(_plain(indices))
    return getitem(a, (*(slice(None),) * at, rows) if at else rows)


def embedding(table: Any, indices: Any) -> Tensor:
    """Rows of table (V, d) at integer indices (...) -> (..., d)."""
    rows = asarray(_plain(indices))
    if rows.dtype.kind not in "iu":
        raise TypeError(f"An embedding is read by integers, and these indices are {rows.dtype}.")
    return getitem(table, rows)
