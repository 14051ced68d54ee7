"""A matrix product by tiles: which tile a program takes, what it fetches for it, and what that costs.

Idea      A program computes one tile of the result and reads for it a band of rows of A and a band of columns of B. A larger tile
          uses each number it reads more often. Tiles that run at the same time share bands through the L2 cache when they lie close
          together, so tiles are numbered down columns of `group` rows and not along whole rows.
Equation  loaded = m k ⌈n / columns⌉ + k n ⌈m / rows⌉ elements;   FLOPs a loaded element = 2 rows columns / (rows + columns)
Paper     M. Lam, E. Rothberg, M. Wolf, "The cache performance and optimizations of blocked algorithms", ASPLOS 1991;
          P. Tillet, H. T. Kung, D. Cox, "Triton", MAPL 2019, section 6.
Cost      See the equation; `wave_bytes` counts what the tiles that run at one time need together.
"""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl

from mlsys_core.kernels.launch import INTERPRETED

ACTIVATIONS = ("none", "relu", "silu", "gelu")


@dataclass(frozen=True)
class Tile:
    """Meta-parameters of a product: a tile of rows × columns, `depth` of the sum at a time, tiles in groups of `group` rows."""

    rows: int
    columns: int
    depth: int
    group: int = 8
    warps: int = 4
    stages: int = 3

    def tiles(self, m: int, n: int) -> int:
        """How many tiles cover an m × n result."""
        return int(triton.cdiv(m, self.rows) * triton.cdiv(n, self.columns))


@dataclass(frozen=True)
class Cost:
    """Bytes that a kernel loads and stores, and FLOPs of its tl.dot, padding of the last tiles included."""

    loaded: int
    stored: int
    dot_flops: int

    @property
    def intensity(self) -> float:
        """FLOPs a byte."""
        return self.dot_flops / (self.loaded + self.stored)


def usual_tile(m: int, n: int, size: int) -> Tile:
    """The tile for an m × n result of elements of `size` bytes; in the interpreter a small one. See the page for what was measured."""
    if INTERPRETED:
        return Tile(32, 32, 32)
    depth = 128 // size
    if m > 1024 and n > 1024 and size < 4:
        return Tile(128, 256, depth, warps=8)
    if m <= 64:  # as many tiles as can be, each with long steps
        return Tile(64, 64, 2 * depth, warps=4, stages=4 if size < 4 else 3)
    return Tile(128, 128, depth, warps=4, stages=4 if size < 4 else 3)


def tiled_cost(m: int, n: int, k: int, tile: Tile, size: int, out_size: int, *, bias_size: int = 0) -> Cost:
    """A product of m × k by k × n elements of `size` bytes in tiles. `bias_size`: bytes of a bias element, 0 without one."""
    down, across, deep = triton.cdiv(m, tile.rows), triton.cdiv(n, tile.columns), triton.cdiv(k, tile.depth)
    loaded = size * k * (m * across + n * down) + bias_size * n * down
    return Cost(loaded, out_size * m * n, 2 * down * tile.rows * across * tile.columns * deep * tile.depth)


def place(number: int, down: int, across: int, group: int) -> tuple[int, int]:
    """Row and column of the tile with this number, as `numbered` has it in a kernel."""
    first = number // (group * across) * group
    height = min(down - first, group)
    within = number % (group * across)
    return first + within % height, within // height


def wave_bytes(m: int, n: int, k: int, tile: Tile, size: int, programs: int) -> int:
    """Bytes of A and B that the first `programs` tiles need together: what L2 fetches once where it holds a wave's bands."""
    down, across = triton.cdiv(m, tile.rows), triton.cdiv(n, tile.columns)
    places = [place(number, down, across, tile.group) for number in range(min(programs, down * across))]
    rows, columns = len({i for i, _ in places}) * tile.rows, len({j for _, j in places}) * tile.columns
    return size * k * (min(rows, m) + min(columns, n))


@triton.jit
def numbered(number: tl.tensor, down: tl.tensor, across: tl.tensor, GROUP: tl.constexpr) -> tl.tensor:
    """`place` in a kernel: tiles in columns of GROUP rows."""
    first = number // (GROUP * across) * GROUP
    height = min(down - first, GROUP)
    within = number % (GROUP * across)
    return first + within % height, within // height


@triton.jit
def sigmoid(x: tl.tensor) -> tl.tensor:
    """1 / (1 + e^-x), by powers that do not overflow."""
    power = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, power) / (1.0 + power)


@triton.jit
def activated(x: tl.tensor, ACTIVATION: tl.constexpr) -> tl.tensor:
    """The activation of float32 numbers, by name; gelu is the one with tanh."""
    if ACTIVATION == "relu":
        x = tl.maximum(x, 0.0)
    elif ACTIVATION == "silu":
        x = x * sigmoid(x)
    elif ACTIVATION == "gelu":
        # (1 + tanh z) / 2 is sigmoid(2 z)
        x = x * sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))
    return x
