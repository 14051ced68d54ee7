"""The books of a storage get as fine as the accesses to it, and keep what they knew."""

from __future__ import annotations

import numpy as np
import pytest

from mlsys_core.kernels.shadow import MANY, NONE, Memory, bytes_of

torch = pytest.importorskip("torch")


def test_books_get_finer_where_an_element_is_narrow_or_stands_askew():
    memory = Memory(torch.zeros(8, dtype=torch.int32).untyped_storage())
    assert memory.cells(np.array([4, 28]), 4).tolist() == [[1], [7]]
    memory.touch("store", memory.cells(np.array([4]), 4), program=3)
    assert memory.cells(np.array([1]), 4).tolist() == [[1, 2, 3, 4]]
    assert memory.grain == 1
    assert memory.writer.tolist() == [NONE] * 4 + [3] * 4 + [NONE] * 24
    assert memory.touch("load", memory.cells(np.array([0, 1, 8]), 4), program=5).tolist() == [NONE, 3, NONE]


def test_three_readers_are_many():
    memory = Memory(torch.zeros(1).untyped_storage())
    cells = memory.cells(np.array([0]), 4)
    assert [memory.touch("load", cells, program).tolist() for program in (0, 1, 2)] == [[NONE]] * 3
    assert memory.touch("store", cells, program=1).tolist() == [MANY]


@pytest.mark.parametrize(
    "view", [lambda x: x[1:3, ::2], lambda x: x.T[2], lambda x: x.view(torch.int16)[:, 3:5], lambda x: x[:0]]
)
def test_the_bytes_of_a_view_are_those_that_change_with_it(view):
    base = torch.zeros(4, 5, dtype=torch.int32)
    view(base).fill_(-1)
    assert bytes_of(view(base)).tolist() == (base.view(torch.uint8).reshape(-1) == 0xFF).tolist()
