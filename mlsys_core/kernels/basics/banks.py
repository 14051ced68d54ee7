"""Banks of shared memory, modelled exactly: how many steps a warp's access takes.

Idea      Shared memory has 32 banks, each of which serves one word of 4 bytes in a step. Word w lies in bank w mod 32. A warp's 32 threads
          are served in one step if no bank is asked for two different words; one word asked for by many is read once for all. A tile of
          32 columns read by column asks one bank for everything. A column more, or a swizzle, spreads it.
Equation  steps = max over banks b of |{w : w asked for, w mod 32 = b}|;   a column of rows of S words: gcd(S, 32)
Paper     NVIDIA, "CUDA C++ programming guide", section "Shared memory" of the compute capabilities (32 banks of 32 bits);
          G. Ruetsch, P. Micikevicius, "Optimizing matrix transpose in CUDA", NVIDIA, 2009 (the padded tile).
Cost      O(threads).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

BANKS, WARP = 32, 32


def steps(words: Iterable[int]) -> int:
    """Steps that one access of a warp takes, by the words (4 bytes each) that its threads ask for; 0 when none asks."""
    asked: dict[int, set[int]] = defaultdict(set)
    for word in words:
        asked[word % BANKS].add(word)
    return max((len(one) for one in asked.values()), default=0)


def row_words(row: int, stride: int) -> list[int]:
    """The words of 32 neighbours in a row of a tile whose rows are `stride` words apart."""
    return [row * stride + column for column in range(WARP)]


def column_words(column: int, stride: int) -> list[int]:
    """The words of one column in 32 rows of a tile whose rows are `stride` words apart: 33 pads a tile of 32."""
    return [row * stride + column for row in range(WARP)]


def swizzled_column_words(column: int) -> list[int]:
    """The same column where element (r, c) of a 32 × 32 tile is kept at column c xor r: no word is spent on padding."""
    return [row * WARP + (column ^ row) for row in range(WARP)]


def transpose_steps(padding: int = 0) -> int:
    """Steps of a warp that writes a 32 × 32 tile by rows and reads it by columns, with so many spare words a row."""
    stride = WARP + padding
    return sum(steps(row_words(line, stride)) + steps(column_words(line, stride)) for line in range(WARP))
