"""What the ways to split a model by its operators cost in bytes.

Idea      Bytes that all ranks of a group send together are whole numbers for every size; a rank's share is that over the number of
          ranks, which is exact only where sizes divide.
Equation  all-reduce of n bytes: 2 (p-1) n in all; reduce-scatter or all-gather of n bytes in all: (p-1) n.
Paper     P. Patarasuk, X. Yuan, JPDC 69(2), 2009.
Cost      None.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Volume:
    """Bytes that all ranks send together, in the forward pass and in the backward pass."""

    forward: int
    backward: int


def all_reduce_volume(size: int, ranks: int) -> int:
    """Bytes that all ranks send when `size` bytes are summed in a ring: 2 (p-1) n."""
    return 2 * (ranks - 1) * size


def one_way_volume(size: int, ranks: int) -> int:
    """Bytes that all ranks send when a tensor of `size` bytes is gathered from its parts, or summed into parts: (p-1) n."""
    return (ranks - 1) * size
