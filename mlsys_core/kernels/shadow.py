"""Shadow memory of a metered kernel: for each element of a storage, whether it has a value and which programs touched it.

Idea      A second memory beside the first says of each cell what the first cannot: that nothing was written there yet, that a program
          wrote it, that others read it. Accesses of a launch are entered one by one; two that no order separates are a race.
Equation  race(a, b)  ⇔  cell(a) = cell(b) ∧ program(a) ≠ program(b) ∧ (a writes ∨ b writes) ∧ ¬(a atomic ∧ b atomic)
Paper     S. Savage et al., "Eraser: a dynamic data race detector for multithreaded programs", TOCS 15(4), 1997;
          E. Stepanov, K. Serebryany, "MemorySanitizer: fast detector of uninitialized memory use in C++", CGO 2015.
Cost      10 bytes for each element, and a gather and a scatter in numpy for each access. Two program numbers a cell are enough to see that
          there is a race, not to name every program in it.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Tensor: TypeAlias = Any

NONE, MANY = -2, -1  # in place of a program's number
POISON = 0xFF  # every byte: NaN in each floating-point type, -1 in the integers
VIRTUAL, SLOT, HALF = 1 << 62, 44, 1 << 43  # of a pointer: that it is ours, which argument's, the start of the storage


class Memory:
    """Books about one storage, for each `grain` of its bytes: whether it was ever written, and which programs of a launch touched it."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage  # kept, so that its address is nobody else's while the meter runs
        self.base, self.nbytes = int(storage.data_ptr()), int(storage.nbytes())
        self.bytes: Array = np.ctypeslib.as_array((ctypes.c_ubyte * self.nbytes).from_address(self.base))
        self.grain = 16
        self.unwritten: Array = np.zeros(-(-self.nbytes // self.grain), bool)
        self.start_launch()

    def start_launch(self) -> None:
        """Forget which programs touched what."""
        self.writer: Array = np.full(self.unwritten.size, NONE, np.int32)
        self.reader: Array = self.writer.copy()
        self.plain: Array = np.zeros(self.unwritten.size, bool)  # written, and not by an atomic

    def cells(self, offsets: Array, size: int) -> Array:
        """Places in the books of elements at these bytes: (lanes, grains in an element). The books get finer where they do not fit."""
        step = math.gcd(self.grain, size)
        step = 1 if step > 1 and bool((offsets % step).any()) else step
        if step < self.grain:
            for name in ("unwritten", "writer", "reader", "plain"):
                setattr(self, name, np.repeat(getattr(self, name), self.grain // step))
            self.grain = step
        return np.asarray(offsets[:, None] // step + np.arange(size // step))

    def poisoned(self, offsets: Array, size: int) -> Array:
        """Which elements nothing has written. Where somebody wrote past the books (numpy, say), poison is no longer there."""
        cells = self.cells(offsets, size)  # first: it may make the books finer
        found = np.asarray(self.unwritten[cells].any(axis=1))
        if found.any():
            content = self.bytes[offsets[found, None] + np.arange(size)]
            found[found] = np.all(content == POISON, axis=1)
        return found

    def touch(self, verb: str, cells: Array, program: int) -> Array:
        """Enter an access; for each lane the other program whose access it races with, MANY of them, or NONE."""
        writer, reader = self.writer[cells], self.reader[cells]
        rival = np.where(writer != program, writer, NONE)
        if verb == "load":
            self.reader[cells] = _joined(reader, program)
            return np.asarray(rival.max(axis=1))
        if verb == "atomic":
            rival = np.where(self.plain[cells], rival, NONE)
        self.writer[cells] = _joined(writer, program) if verb == "atomic" else program
        self.plain[cells] |= verb == "store"
        self.unwritten[cells] = False
        return np.asarray(np.where((rival == NONE) & (reader != program), reader, rival).max(axis=1))


def _joined(programs: Array, program: int) -> Array:
    return np.where((programs == NONE) | (programs == program), program, MANY)


def bytes_of(tensor: Tensor) -> Array:
    """Which bytes of its storage are a tensor's own."""
    own: Array = np.zeros(int(tensor.untyped_storage().nbytes()), bool)
    size = int(tensor.element_size())
    if tensor.numel():
        first, strides = int(tensor.storage_offset()) * size, [step * size for step in tensor.stride()]
        np.lib.stride_tricks.as_strided(own[first:], (*tensor.shape, size), (*strides, 1))[...] = True
    return own


class Argument:
    """A tensor argument of the running launch: its name, its storage, and the pointer that the kernel gets for it."""

    def __init__(self, name: str, tensor: Tensor, memory: Memory, slot: int) -> None:
        self.name, self.memory, self.itemsize = name, memory, int(tensor.element_size())
        self.start, self.nbytes = (int(n) * self.itemsize for n in (tensor.storage_offset(), tensor.numel()))
        self.zero = VIRTUAL | slot << SLOT | HALF  # where its storage starts
        self._own = None if tensor.is_contiguous() and self.nbytes == memory.nbytes else bytes_of(tensor)

    def strays(self, offsets: Array, size: int) -> Array:
        """Those of these bytes, all within the storage, that start an element which is not all the tensor's own."""
        return offsets[:0] if self._own is None else offsets[~(self._own[offsets] & self._own[offsets + size - 1])]
