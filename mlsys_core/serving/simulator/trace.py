"""Requests: when they come, how long their prompts are, and how many tokens they will turn out to want.

Idea      Many people who know nothing of each other make a Poisson stream. Lengths of texts are skewed: most are short and a few are
          very long, which is what makes it costly to keep room for the longest.
Equation  gaps ~ exponential(1/rate);   length = ⌈lognormal(μ, σ)⌉ with mean m: μ = ln m - σ²/2, cut where a model's context ends
Paper     W. Kwon et al., "Efficient memory management for large language model serving with PagedAttention", SOSP 2023, section 6.1
          (Poisson arrivals, lengths of ShareGPT and Alpaca).
Cost      None.

The two distributions here are ours: like conversations, whose prompts and answers are long and uneven, and like instructions, whose
are short. They have no text and no line of the data sets that they are named after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Request:
    """Comes at `arrival_s` with `prompt` tokens, and ends after `output` more, which no scheduler may know before (but an oracle)."""

    arrival_s: float
    prompt: int
    output: int

    @property
    def total(self) -> int:
        """Tokens of the whole text."""
        return self.prompt + self.output


@dataclass(frozen=True)
class Lengths:
    """Lognormal lengths: means before anything is cut, and σ of their logarithms."""

    prompt: float
    output: float
    sigma: float


SHAREGPT_LIKE = Lengths(prompt=160, output=340, sigma=1.0)
ALPACA_LIKE = Lengths(prompt=20, output=60, sigma=0.7)


def poisson_trace(count: int, rate: float, lengths: Lengths, *, limit: int = 2048, seed: int = 0) -> list[Request]:
    """So many requests, `rate` a second on average, in order of arrival; a text has at most `limit` tokens, its prompt half of that.

    Raises ValueError for a rate that is not positive.
    """
    if rate <= 0:
        raise ValueError(f"{rate:g} requests a second never come: give a positive rate.")
    rng = np.random.default_rng(seed)
    arrivals = rng.exponential(1 / rate, count).cumsum()
    prompts, outputs = (
        np.ceil(rng.lognormal(np.log(mean) - lengths.sigma**2 / 2, lengths.sigma, count)).astype(int)
        for mean in (lengths.prompt, lengths.output)
    )
    prompts = np.minimum(prompts, limit // 2)
    outputs = np.minimum(outputs, limit - prompts)
    return [Request(*one) for one in zip(arrivals.tolist(), prompts.tolist(), outputs.tolist(), strict=True)]
