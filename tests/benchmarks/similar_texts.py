"""How long the search for similar summaries takes: 600 students and ten readings, a search a reading, and all 6,000 texts at once.

`PYTHONPATH=platform:. python -m tests.benchmarks.similar_texts`
"""

from __future__ import annotations

import resource
import time

from reviews.similar.compare import near_duplicates
from reviews.similar.shingles import shingles_of, without_common
from tests.platform.reviews.similar.writing import Writer

STUDENTS, READINGS, WORDS, COPIES = 600, 10, 550, 20


def class_of(writer: Writer) -> list[str]:
    """600 summaries of one paper; every thirtieth has half of the one before."""
    texts = [" ".join(writer.words(WORDS)) for _ in range(STUDENTS)]
    for at in range(1, STUDENTS, STUDENTS // COPIES):
        words, source = texts[at].split(), texts[at - 1].split()
        texts[at] = " ".join(words[: WORDS // 2] + source[WORDS // 2 :])
    return texts


def timed(texts: list[str]) -> tuple[float, int]:
    """Seconds from text to pairs, and how many pairs."""
    begun = time.perf_counter()
    runs = without_common({at: shingles_of([text]) for at, text in enumerate(texts)})
    found = near_duplicates(runs, {at: at for at in runs})
    return time.perf_counter() - begun, len(found)


def main() -> None:
    """Print the table."""
    writer = Writer(1)
    classes = [class_of(writer) for _ in range(READINGS)]
    each = [timed(texts) for texts in classes]
    whole, pairs = timed([text for texts in classes for text in texts])
    print(f"{READINGS} searches of {STUDENTS} texts: {sum(s for s, _ in each):.1f} s, {sum(n for _, n in each)} pairs")
    print(f"one search of {STUDENTS * READINGS} texts: {whole:.1f} s, {pairs} pairs")
    print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
