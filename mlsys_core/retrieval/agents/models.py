"""What thinks in a loop: a policy that we wrote, a served model held to given choices, or a recording.

Idea      A loop needs something that continues a text. For a loop that can be tested, the logic is a function of the text: same text,
          same words. A served model gives the words too, and what it costs. A small one cannot reason, so it is held to texts that the
          caller allows: at each letter every continuation that begins none of them is given probability zero. The model chooses, the form
          is sure.
Equation  p(x | choices) ∝ p(x) for x that continue a choice from where the output stands, 0 for all others
Paper     B. Willard, R. Louf, "Efficient guided generation for large language models", arXiv 2307.09702: a mask over the vocabulary a
          token.
Cost      A step of the engine a token. The mask is O(characters of the choices).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

from mlsys_core.serving.engine import Engine
from mlsys_core.serving.sampling import SamplingParams


@dataclass(frozen=True)
class Completion:
    """What a model wrote, and how many tokens it read and wrote for it."""

    text: str
    prompt_tokens: int
    output_tokens: int


class Model(Protocol):
    """Continues texts."""

    def count(self, text: str, /) -> int:
        """Tokens of a text."""
        ...

    def complete(self, prompt: str, limit: int, /) -> Completion:
        """What comes after the prompt, of at most `limit` tokens; cut there, like any model."""
        ...


class Codec(Protocol):
    """From texts to tokens and back, as `workloads.text.Vocabulary`."""

    def encode(self, text: str, /) -> Any:
        """Codes (n,)."""
        ...

    def decode(self, codes: Any, /) -> str:
        """The text of codes (n,)."""
        ...


@dataclass(frozen=True)
class Scripted:
    """A function from the prompt to what is said next. A word and what precedes it is a token, which is near what tokenizers do."""

    policy: Callable[[str], str]

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())

    def complete(self, prompt: str, limit: int) -> Completion:
        """What the policy says, cut after `limit` words."""
        said = self.policy(prompt)
        ends = [word.end() for word in re.finditer(r"\S+", said)]
        said = said[: ends[limit - 1]] if len(ends) > limit else said
        return Completion(said, self.count(prompt), self.count(said))


class Served:
    """An engine of `serving`, held to what `choices` allows after a prompt. One request at a time, greedily.

    The engine must be idle and run its steps one by one: a recorded step does not see the mask (no `decode_sizes`), and one with guesses
    would need a mask for each (no `speculation`).
    """

    def __init__(self, engine: Engine, codec: Codec, choices: Callable[[str], Sequence[str]]) -> None:
        if engine.config.decode_sizes:
            raise ValueError("A recorded step does not see which letters are allowed: serve without decode_sizes.")
        if engine.speculator.plan:
            raise ValueError("Guesses are tested by what may follow the last letter only: serve without speculation.")
        self.engine, self.codec, self.choices = engine, codec, choices

    def count(self, text: str) -> int:
        """Tokens of the codec."""
        return len(self.codec.encode(text))

    def complete(self, prompt: str, limit: int) -> Completion:
        """The choice that the model takes letter by letter, cut after `limit` letters.

        Raises ValueError for choices that leave none, of which one is empty or begins another, and for an engine that serves others.
        """
        tokens = [int(token) for token in self.codec.encode(prompt)]
        allowed = sorted({tuple(int(t) for t in self.codec.encode(choice)) for choice in self.choices(prompt)})
        if not all(allowed) or not allowed:
            raise ValueError("A model that is held to choices needs at least one, and none may be empty.")
        if any(longer[: len(choice)] == choice for choice, longer in pairwise(allowed)):
            raise ValueError(
                "One choice begins another, so nothing says where it ends: end each with a mark of its own."
            )
        if self.engine.busy:
            raise ValueError("The engine serves other requests, which the mask would hold to these choices, too: wait.")
        said = self._generate(tokens, allowed, limit)
        return Completion(self.codec.decode(said), len(tokens), len(said))

    def _generate(self, prompt: list[int], allowed: Sequence[tuple[int, ...]], limit: int) -> list[int]:
        longest = min(limit, max(map(len, allowed)))
        request = self.engine.add_request(prompt, SamplingParams(max_tokens=longest, temperature=0.0))
        said: list[int] = []
        head = self.engine.runner.model.head
        hook = head.register_forward_hook(lambda _module, _inputs, logits: _masked(logits, _following(allowed, said)))
        try:
            while self.engine.knows(request):
                for output in self.engine.step():
                    said += output.tokens
                if tuple(said) in allowed:
                    self.engine.abort(request)
        finally:
            hook.remove()
            self.engine.abort(request)
        return said


def _following(allowed: Sequence[tuple[int, ...]], said: list[int]) -> list[int]:
    """Tokens that continue what was said towards a choice."""
    at = len(said)
    return sorted({choice[at] for choice in allowed if len(choice) > at and list(choice[:at]) == said})


def _masked(logits: Tensor, tokens: list[int]) -> Tensor:
    """Logits (rows, vocabulary) in which all other tokens have probability zero."""
    mask = torch.full_like(logits, -math.inf)
    mask[:, tokens] = 0.0
    return logits + mask
