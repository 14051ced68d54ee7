"""Writes texts for the tests: paragraphs of words that are drawn as often as words are in English."""

from __future__ import annotations

import random

HEADS = ("ba", "be", "bi", "bo", "bu", "da", "de", "di", "do", "du", "ka", "ke", "ki", "ko", "ku")
TAILS = ("bam", "ban", "bar", "bat", "dem", "den", "der", "det", "kim", "kin", "kir", "kit", "mom", "mon", "sum", "sun")
VOCABULARY = [head + tail for head in HEADS for tail in TAILS]
WEIGHTS = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]


class Writer:
    """The same seed writes the same texts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def words(self, count: int) -> list[str]:
        return self.random.choices(VOCABULARY, WEIGHTS, k=count)

    def paragraph(self, count: int = 100) -> str:
        """A hundred words with sentences and capitals."""
        words = self.words(count)
        for at in range(0, count, 11):
            words[at] = words[at].capitalize()
            words[at - 1] += "."
        return " ".join(words)

    def text(self, paragraphs: int = 5) -> str:
        return "\n\n".join(self.paragraph() for _ in range(paragraphs))
