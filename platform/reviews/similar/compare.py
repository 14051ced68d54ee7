"""Near-duplicates among many texts: MinHash and locality-sensitive hashing find candidates, sets tell the exact number.

Broder, "On the resemblance and containment of documents" (1997). A band of one hash makes a candidate of every two texts that share a
smallest hash: with 128 of them a pair of Jaccard similarity 0.05 is missed once in 700 times. The cost is one set intersection a
candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rensa import RMinHash, RMinHashLSH

from reviews.similar.shingles import Shingles

HASHES, SEED = 128, 1997
FEWEST = 20  # runs below which a text says too little
LEAST_SHARE = 0.25  # of the shorter text


@dataclass(frozen=True)
class Found:
    """Two texts, by key, the smaller key first. `share`: of the shorter text's runs, how many the other has. Both are exact."""

    first: int
    second: int
    share: float
    jaccard: float
    shared: Shingles


def near_duplicates(texts: Mapping[int, Shingles], owners: Mapping[int, int]) -> list[Found]:
    """Pairs of texts of different owners that share a quarter of the shorter one's runs or more, the largest share first."""
    long = {key: runs for key, runs in texts.items() if len(runs) >= FEWEST}
    pairs = (measured(first, second, long) for first, second in _candidates(long) if owners[first] != owners[second])
    return sorted((pair for pair in pairs if pair.share >= LEAST_SHARE), key=lambda pair: (-pair.share, pair.first))


def measured(first: int, second: int, texts: Mapping[int, Shingles]) -> Found:
    """How much two texts share, counted."""
    a, b = texts[first], texts[second]
    shared = a & b
    smaller, union = min(len(a), len(b)), len(a) + len(b) - len(shared)
    return Found(
        first=min(first, second),
        second=max(first, second),
        share=len(shared) / smaller if smaller else 0.0,
        jaccard=len(shared) / union if union else 0.0,
        shared=shared,
    )


def _candidates(texts: Mapping[int, Shingles]) -> Iterator[tuple[int, int]]:
    """Each pair of keys once that shares a band."""
    index = RMinHashLSH(threshold=LEAST_SHARE, num_perm=HASHES, num_bands=HASHES)
    for key, runs in texts.items():
        sketch = RMinHash(num_perm=HASHES, seed=SEED)
        sketch.update(list(runs))
        yield from ((earlier, key) for earlier in index.query(sketch))
        index.insert(key, sketch)
