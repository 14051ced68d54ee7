"""The inner loops in C: built once a machine by its own compiler, called with numpy's arrays.

Idea      To scan codes by tables, to scan lists and to walk a graph are loops of a few instructions that numpy cannot express as whole
          arrays. They are written in C, in the folder `c`, and built as the compiler's kernels are. Where a machine has no compiler,
          the same steps run in numpy and Python: the same results, many times slower.
Equation  order of vectors = order of (bits of the distance) · 2³² + number, one comparison of whole numbers
Paper     IEEE Std 754-2019: positive floats are ordered as their bits are. M. Douze et al., "The Faiss library", arXiv 2401.08281,
          2024, for what is worth such loops.
Cost      About 1 s to build, the first time on a machine; a call costs some microseconds beside its work.

numba would do too; it is a dependency of 150 MB for three loops, and the compiler is there for `mlsys_core.compiler` anyway.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from mlsys_core.compiler.build import CompilerError, build_library, default_cache

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
SOURCES = ("heap.c", "nearest.c", "scan.c", "hnsw.c")
RETURNS = {
    "nearest_centroids": None,
    "scan_vectors": ctypes.c_int64,
    "scan_codes": ctypes.c_int64,
    "scan_residuals": ctypes.c_int64,
    "keep_rows": None,
    "report_rows": None,
    "hnsw_add": None,
    "hnsw_search": None,
}


class Graph(ctypes.Structure):
    """`graph` of hnsw.c: pointers to arrays, then numbers."""

    POINTERS = ("vectors", "levels", "ground", "above", "upper", "seen", "open", "near", "sorted", "batch")
    NUMBERS = ("d", "m", "ef", "entry", "computed", "searches")
    _fields_ = [
        *((name, ctypes.c_void_p) for name in POINTERS),
        *((name, ctypes.c_int64) for name in NUMBERS),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """The built loops; None where this machine has no compiler, one that refuses, or no folder to keep and load libraries."""
    folder = Path(__file__).parent / "c"
    text = "\n".join((folder / name).read_text() for name in SOURCES)
    try:
        built = build_library([text], default_cache())
    except (CompilerError, OSError):
        return None
    for name, kind in RETURNS.items():
        getattr(built, name).restype = kind
    return built


def pointer(array: Array) -> ctypes.c_void_p:
    """Where an array's numbers begin; it has to be C-contiguous, and to live as long as the call."""
    if not array.flags.c_contiguous:
        raise ValueError(
            f"An array of shape {array.shape} has gaps, and the loops in C read it without: copy it first."
        )
    return ctypes.c_void_p(array.ctypes.data)


def call(function: Any, *arguments: Any) -> Any:
    """Calls a C function with arrays as pointers, whole numbers as 64 bits, and structures by reference."""
    return function(*map(_argument, arguments))


def _argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return pointer(value)
    return ctypes.byref(value) if isinstance(value, ctypes.Structure) else ctypes.c_int64(int(value))
