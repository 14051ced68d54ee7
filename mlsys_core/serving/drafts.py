"""Where drafted tokens come from: a smaller model, what another text says, or the text itself.

Idea      Any guess is allowed, as long as it is known how likely each token was to be guessed. A small model of the same vocabulary
          guesses well and costs some passes; counts of what follows what in a text cost a look-up; what followed the last words when
          they stood in the text before costs no more, and is often right where answers quote.
Equation  model: x_i ~ q(· | text, x_{<i});   counts: q(x) ∝ how often x followed the last n tokens, for the largest n ever seen;
          n-gram: x_i = text[j + i] where text[j - n : j] = text[-n:], q(x_i) = 1
Paper     Y. Leviathan et al., ICML 2023, sections 2.1 and 3.6; N. Yang et al., "Inference with reference: lossless acceleration of
          large language models", arXiv 2304.04487 (text that stands there already).
Cost      γ passes of the small model and what it has not read of the last round; γ look-ups; or one search through the text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

import torch
from torch import Tensor

from mlsys_core.serving.contiguous import Decoder
from mlsys_core.serving.sampling import SamplingParams, probabilities, sample
from mlsys_core.workloads.gpt import GPT


class Draft(Protocol):
    """Guesses how a text goes on."""

    def propose(
        self, tokens: Sequence[int], count: int, params: SamplingParams, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """At most `count` tokens (g,) to follow, and the distributions (g, V), in float64, that each was drawn from."""


class ModelDraft:
    """A model of the same vocabulary, with its own cache. Of what it has read, it keeps what is still the text."""

    def __init__(self, model: GPT, capacity: int) -> None:
        """`capacity` is the longest text with its drafted tokens."""
        self.vocabulary = model.config.vocab_size
        self._decoder, self._read = Decoder(model, capacity), list[int]()

    def propose(
        self, tokens: Sequence[int], count: int, params: SamplingParams, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draws with the request's own temperature and cuts, which brings q near to p."""
        if not count:
            return _nothing(self.vocabulary)
        # the last token is read even when it was read before, for the logits after it
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._read, tokens[:-1], strict=False)))
        self._decoder.rollback(same)
        drafted, distributions = [], []
        unread = torch.tensor([tokens[same:]])
        for _ in range(count):
            distributions.append(probabilities(self._decoder.extend(unread)[0, -1].cpu(), params))
            drafted.append(sample(distributions[-1], generator))
            unread = drafted[-1].view(1, 1)
        guesses = torch.stack(drafted)
        self._read = [*tokens, *guesses[:-1].tolist()]
        return guesses, torch.stack(distributions)


class NGramDraft:
    """What followed when the last `longest` tokens, or fewer of them, stood in the text before; the latest such place counts."""

    def __init__(self, vocabulary: int, longest: int = 3) -> None:
        if longest < 1:
            raise ValueError(f"The last {longest} tokens cannot be looked for: use at least 1.")
        self.vocabulary, self.longest = vocabulary, longest

    def propose(
        self,
        tokens: Sequence[int],
        count: int,
        params: SamplingParams,  # noqa: ARG002 - a quotation has no temperature
        generator: torch.Generator,  # noqa: ARG002 - and no chance
    ) -> tuple[Tensor, Tensor]:
        """Nothing is random here, so the distributions are certain; nothing is drafted where the text has no such place."""
        guesses = torch.tensor(self._following(list(tokens))[:count], dtype=torch.long)
        return guesses, torch.nn.functional.one_hot(guesses, self.vocabulary).double()

    def _following(self, tokens: list[int]) -> list[int]:
        for n in range(min(self.longest, len(tokens) - 1), 0, -1):
            for at in range(len(tokens) - 1, n - 1, -1):
                if tokens[at - n : at] == tokens[-n:]:
                    return tokens[at:]
        return []


class CountDraft:
    """What followed the last tokens in another text, as often as it did: of the last `longest` of them, or as many as were ever seen."""

    def __init__(self, text: Sequence[int], vocabulary: int, longest: int = 4) -> None:
        if longest < 1 or not text:
            raise ValueError("Counts need a text of at least one token, and runs of at least 1.")
        self.vocabulary, self.longest = vocabulary, longest
        self._counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for n in range(longest + 1):
            for at in range(n, len(text)):
                self._counts[tuple(text[at - n : at])][text[at]] += 1

    def propose(
        self, tokens: Sequence[int], count: int, params: SamplingParams, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draws from the counts with the request's own temperature and cuts."""
        if not count:
            return _nothing(self.vocabulary)
        seen, distributions = list(tokens), []
        for _ in range(count):
            distributions.append(probabilities(self._after(seen).log(), params))
            seen.append(int(sample(distributions[-1], generator)))
        return torch.tensor(seen[len(tokens) :]), torch.stack(distributions)

    def _after(self, seen: list[int]) -> Tensor:
        runs = (tuple(seen[len(seen) - n :]) for n in range(min(self.longest, len(seen)), -1, -1))
        found = self._counts[next(run for run in runs if run in self._counts)]
        counts = torch.zeros(self.vocabulary, dtype=torch.float64)
        counts[list(found)] = torch.tensor(list(found.values()), dtype=torch.float64)
        return counts


def _nothing(vocabulary: int) -> tuple[Tensor, Tensor]:
    return torch.empty(0, dtype=torch.long), torch.empty(0, vocabulary, dtype=torch.float64)
