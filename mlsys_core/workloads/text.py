"""A text to learn from, one character at a time: eight plays of Shakespeare, in the public domain.

Idea      A language model needs a text, a numbering of what it is made of, and windows cut out of it at random. Characters
          make the smallest vocabulary and need no tokenizer.
Equation  targets[b, t] = tokens[b, t + 1] = codes[start_b + t + 1],  start_b uniform
Paper     C. Shannon, "Prediction and entropy of printed English", Bell System Technical Journal 30, 1951: about 1 bit a
          character for people; A. Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015.
Cost      1 MB on disk; 8 bytes a character once encoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Codes: TypeAlias = npt.NDArray[np.int64]
PATH = Path(__file__).parent / "data" / "shakespeare.txt"
SHA256 = "d33af397fa54bbbee1133c27c095a75d4f9f5890f0ca83aef89a90dcd1f6016a"


def load() -> str:
    """The whole text: 1,031,911 characters; `data/LICENCE.md` says where it comes from."""
    return PATH.read_text(encoding="ascii")


@dataclass(frozen=True)
class Vocabulary:
    """Characters in their order; the code of one is its place."""

    characters: str

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """The characters of a text, sorted."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> Codes:
        """Codes (n,) of n characters. Raises ValueError for a character that the vocabulary lacks."""
        strange = sorted(set(text) - set(self.characters))
        if strange:
            raise ValueError(f"The vocabulary has no {strange}: build it from a text that does.")
        code = {character: i for i, character in enumerate(self.characters)}
        return np.fromiter((code[character] for character in text), dtype=np.int64, count=len(text))

    def decode(self, codes: Any) -> str:
        """The text of codes (n,), integers below the vocabulary's length."""
        return "".join(self.characters[code] for code in np.asarray(codes).ravel())


def split(codes: Codes, held_out: float = 0.1) -> tuple[Codes, Codes]:
    """The beginning to train on and the end to judge by, `held_out` of the whole; they share no character."""
    if not 0 < held_out < 1:
        raise ValueError(f"The part held out lies between 0 and 1, and this is {held_out}.")
    at = len(codes) - round(len(codes) * held_out)
    return codes[:at], codes[at:]


def batches(codes: Codes, batch: int, time: int, steps: int, seed: int = 0) -> Iterator[tuple[Codes, Codes]]:
    """Tokens and targets (B, T) of each step: B windows at random places, the same ones for the same seed.

    Raises ValueError when the text is too short for a window and its last target.
    """
    if len(codes) <= time:
        raise ValueError(f"A window of {time} needs {time + 1} characters, and the text has {len(codes)}.")
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        starts = rng.integers(len(codes) - time, size=batch)
        windows = codes[starts[:, None] + np.arange(time + 1)]
        yield windows[:, :-1], windows[:, 1:]
