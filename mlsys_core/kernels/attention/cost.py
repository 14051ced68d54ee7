"""What the kernels of attention move and compute, exactly, by the size of their tiles.

Idea      A block of BM queries loads each visited tile of keys and values once, so K and V are read T / BM times; the matrix of scores
          moves no byte. Tiles outside the band, or absent from a block mask, are not visited and cost nothing.
Equation  forward   loads Q + Σ_blocks Σ_visited (K tile + V tile), stores O and LSE;      4 BM BN D operations a visited tile
          backward  δ: loads O, dO, LSE, dLSE, stores 2 numbers a row;      dq: Q, dO, 2 numbers a row, K and V a visited tile;
                    dk, dv: K, V, and for each query head the Q, dO and 2 numbers a row of the visited blocks;      14 BM BN D
Paper     T. Dao et al., "FlashAttention", NeurIPS 2022, theorem 2.
Cost      The formulas walk over the tiles of one head.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FLOAT = 4  # bytes of LSE and of δ


@dataclass(frozen=True)
class Moved:
    """Bytes loaded and stored."""

    loaded: int
    stored: int

    @property
    def total(self) -> int:
        """Both."""
        return self.loaded + self.stored


def visited_tiles(t: int, s: int, rows: int, columns: int, left: int = -1, right: int = -1) -> list[tuple[int, int]]:
    """(block of queries, tile of keys) that a program of the forward visits; edges of the band as in the kernels."""
    found = []
    for block in range(-(-t // rows)):
        first = block * rows + s - t
        begin = max(first - left, 0) // columns if left >= 0 else 0
        stop = min(s, max(first + rows + right, 0)) if right >= 0 else s
        found += [(block, tile) for tile in range(begin, -(-stop // columns))]
    return found


def visited_blocks(t: int, s: int, rows: int, columns: int, left: int = -1, right: int = -1) -> list[tuple[int, int]]:
    """(block of queries, tile of keys) that the programs of dk and dv visit: the band seen from the keys."""
    turned = visited_tiles(s, t, columns, rows, right, left)
    return [(block, tile) for tile, block in turned]


def _lines(tiles: Iterable[int], n: int, size: int) -> int:
    """Lines of n that these tiles hold; the last tile may be short."""
    return sum(min(size, n - tile * size) for tile in tiles)


def attention_bytes(
    q_shape: tuple[int, int, int, int],
    k_shape: tuple[int, int, int, int],
    *,
    rows: int,
    columns: int,
    left: int = -1,
    right: int = -1,
    itemsize: int = 2,
    tiles: list[tuple[int, int]] | None = None,
    backward: bool = False,
) -> Moved:
    """Bytes of one forward, or of one backward, with tiles of `rows` × `columns`; `tiles` are those of a block mask.

    The backward's δ kernel is included. Labels and lists of block masks (4 bytes an entry) are not.
    """
    (b, hq, t, d), (_, hk, s, _) = q_shape, k_shape
    width, queries = d * itemsize, b * hq
    by_rows = visited_tiles(t, s, rows, columns, left, right) if tiles is None else tiles
    keys = _lines((tile for _, tile in by_rows), s, columns)
    if not backward:
        return Moved(queries * (t + 2 * keys) * width, queries * t * (width + FLOAT))
    by_keys = visited_blocks(t, s, rows, columns, left, right) if tiles is None else tiles
    read = _lines((block for block, _ in by_keys), t, rows)
    delta = Moved(queries * t * (2 * width + 2 * FLOAT), queries * t * 2 * FLOAT)
    dq = Moved(queries * ((2 * t + 2 * keys) * width + 2 * FLOAT * t), queries * t * width)
    dk = Moved(b * hk * 2 * s * width + queries * read * (2 * width + 2 * FLOAT), b * hk * 2 * s * width)
    return Moved(delta.loaded + dq.loaded + dk.loaded, delta.stored + dq.stored + dk.stored)


def attention_flops(
    q_shape: tuple[int, int, int, int],
    k_shape: tuple[int, int, int, int],
    *,
    rows: int,
    columns: int,
    left: int = -1,
    right: int = -1,
    tiles: list[tuple[int, int]] | None = None,
    backward: bool = False,
) -> int:
    """Operations of the matrix products that run: whole tiles, also where a mask or an end makes part of them void.

    Two products a visited tile forward; backward three for dq and four for dk and dv. D counts as the power of two that holds it.
    """
    (b, hq, t, d), (_, _, s, _) = q_shape, k_shape
    wide = max(16, 1 << (d - 1).bit_length())
    each = 2 * rows * columns * wide * b * hq
    by_rows = visited_tiles(t, s, rows, columns, left, right) if tiles is None else tiles
    if not backward:
        return 2 * each * len(by_rows)
    by_keys = visited_blocks(t, s, rows, columns, left, right) if tiles is None else tiles
    return each * (3 * len(by_rows) + 4 * len(by_keys))
