"""A buddy allocator: room in pieces of powers of two.

Idea      A piece that is too large is halved until a half would be too small; two free halves of one piece become it again. Finding,
          halving and joining take a few steps, and the price is room: up to half of a piece, and what lies between pieces.
Equation  size n takes 2^⌈log₂ n⌉;   the buddy of the piece of size 2^k at a is at a xor 2^k
Paper     K. Knowlton, "A fast storage allocator", CACM 8(10), 1965.
Cost      O(log size) each.
"""

from __future__ import annotations


class Buddy:
    """`size` places, numbered from 0; a size that is no power of two is a row of pieces that fall in size."""

    def __init__(self, size: int) -> None:
        self.free: list[set[int]] = [set() for _ in range(size.bit_length() + 1)]
        start = 0
        for order in reversed(range(size.bit_length())):
            if size >> order & 1:
                self.free[order].add(start)
                start += 1 << order
        self._roots = {(start, order) for order, starts in enumerate(self.free) for start in starts}
        self._orders: dict[int, int] = {}

    def allocate(self, size: int) -> int | None:
        """Where a piece for `size` places begins, or None where no piece is large enough."""
        wanted = (size - 1).bit_length()
        order = next((k for k in range(wanted, len(self.free)) if self.free[k]), None)
        if order is None:
            return None
        start = min(self.free[order])
        self.free[order].remove(start)
        while order > wanted:
            order -= 1
            self.free[order].add(start + (1 << order))
        self._orders[start] = order
        return start

    def release(self, start: int) -> None:
        """Gives a piece back, and joins it with its buddy as long as that is free. KeyError for one that is not given out."""
        order = self._orders.pop(start)
        while (start, order) not in self._roots and (buddy := start ^ (1 << order)) in self.free[order]:
            self.free[order].remove(buddy)
            start, order = min(start, buddy), order + 1
        self.free[order].add(start)
