from __future__ import annotations


def random_shape(rng):
    return tuple(int(n) for n in rng.integers(2, 5, size=2))
