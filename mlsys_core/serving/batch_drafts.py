"""Drafts for all outputs of a step: each by its own means, or all of them by one pass of a draft model a token.

Idea      A draft model is small, so a pass of it costs what starting it costs, and one pass over the last tokens of all texts hardly more
          than over one. It is served as the model is, from a paged cache of its own. What it has read stays there for the next step; of
          its own guesses, those that became the text. Nothing is kept for an output that is preempted or has ended.
Equation  passes = max_s γ_s in place of Σ_s γ_s;   kept = longest common beginning of what was read and the text
Paper     Y. Leviathan et al., "Fast inference from transformers via speculative decoding", ICML 2023, algorithm 1; G.-I. Yu et al.,
          "Orca", OSDI 2022, section 3.2 (one pass over the tokens of several texts).
Cost      γ passes of the draft model a step, the first also over what it has not read; at most as many blocks as the model has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.drafts import Draft
from mlsys_core.serving.graph_runner import runner_for
from mlsys_core.serving.sampling import SamplingParams, pick, probabilities_each
from mlsys_core.serving.scheduler import Batch, Work
from mlsys_core.serving.sequence import Sequence
from mlsys_core.workloads.gpt import GPT


@dataclass(frozen=True)
class Ask:
    """An output that wants at most `count` tokens to follow its text, drawn by its own rules and random numbers."""

    sequence: int
    tokens: Items[int]
    count: int
    params: SamplingParams
    generator: torch.Generator


class Drafts(Protocol):
    """Guesses how the texts of a step go on."""

    def propose(self, asks: Items[Ask]) -> list[tuple[Tensor, Tensor]]:
        """For each, tokens (g,) and the distributions (g, V), in float64, that each was drawn from; g is at most what was asked."""

    def forget(self, sequence: int) -> None:
        """Gives up what is kept of an output. It may come back."""


class EachAlone:
    """One draft for each output; `make` makes it."""

    def __init__(self, make: Callable[[], Draft]) -> None:
        self._drafts = defaultdict[int, Draft](make)

    def propose(self, asks: Items[Ask]) -> list[tuple[Tensor, Tensor]]:
        """One after the other."""
        return [self._drafts[one.sequence].propose(one.tokens, one.count, one.params, one.generator) for one in asks]

    def forget(self, sequence: int) -> None:
        """The draft goes, and its cache, if it has one."""
        self._drafts.pop(sequence, None)


class ModelDrafts:
    """A model of the same vocabulary that drafts for all outputs together."""

    def __init__(self, model: GPT, config: EngineConfig) -> None:
        """`config` is the engine's: the draft's cache has as many blocks."""
        self.vocabulary = model.config.vocab_size
        self.blocks = BlockManager(config.blocks, config.block_size)
        self._runner = runner_for(model, replace(config, swap_blocks=0))
        self._texts: dict[int, Sequence] = {}  # to the draft, a text is a prompt, and its guesses are the output

    def propose(self, asks: Items[Ask]) -> list[tuple[Tensor, Tensor]]:
        """All of what was asked, or nothing where the draft's blocks have no room. q is near to p by the request's own rules."""
        q: dict[int, list[Tensor]] = {one.sequence: [] for one in asks}
        reading = list(self._with_room(asks))
        while reading := [one for one in reading if len(q[one.sequence]) < one.count]:
            distributions = probabilities_each(self._read(reading).cpu(), [one.params for one in reading])
            uniform = torch.stack([torch.rand((), dtype=torch.float64, generator=one.generator) for one in reading])
            drawn = pick(distributions, uniform).tolist()
            for one, token, row in zip(reading, drawn, distributions, strict=True):
                self._texts[one.sequence].tokens.append(token)
                q[one.sequence].append(row)
        return [self._answer(one.sequence, q[one.sequence]) for one in asks]

    def forget(self, sequence: int) -> None:
        """Its blocks are free."""
        if self._texts.pop(sequence, None):
            self.blocks.release(sequence)

    def _with_room(self, asks: Items[Ask]) -> Iterator[Ask]:
        """Those whose text and guesses, all but the last one, which is not read, have room beside those before them."""
        left = 0
        for one in asks:
            if not one.count:
                continue
            self._begin(one)
            need = self.blocks.needed(one.sequence, self._texts[one.sequence].due + one.count - 1)
            if left + need <= self.blocks.available:
                left += need
                yield one
            else:
                self.forget(one.sequence)

    def _begin(self, one: Ask) -> None:
        """Takes a text as it is now. What has been read of it and is still right stays; its last token is read for what follows it."""
        text = self._texts.get(one.sequence)
        if text is None:
            text = self._texts[one.sequence] = Sequence(one.sequence, list(one.tokens), len(one.tokens))
            text.computed = self.blocks.allocate(one.sequence, one.tokens)
            return
        same, end = text.prompt, min(text.computed, len(one.tokens) - 1)
        while same < end and text.tokens[same] == one.tokens[same]:
            same += 1
        text.tokens, text.prompt, text.computed = list(one.tokens), len(one.tokens), min(same, end)
        self.blocks.shrink(one.sequence, text.computed)

    def _read(self, asks: Items[Ask]) -> Tensor:
        """Logits (B, V) after all texts, of which one pass reads what has not been read."""
        batch, texts = Batch(), [self._texts[one.sequence] for one in asks]
        for text in texts:
            batch.copies += self.blocks.append(text.id, text.due)
            batch.works.append(Work(text, text.computed, text.due))
        logits = self._runner.run(batch, self.blocks)
        for text in texts:
            text.computed = len(text.tokens)
            # what begins alike, as the outputs of one request do, is found; guesses and the last token may be taken back
            self.blocks.commit(text.id, text.tokens[: text.prompt - 1])
        return torch.stack([logits[text.id] for text in texts])

    def _answer(self, sequence: int, q: list[Tensor]) -> tuple[Tensor, Tensor]:
        if not q:
            return torch.empty(0, dtype=torch.long), torch.empty(0, self.vocabulary, dtype=torch.float64)
        return torch.tensor(self._texts[sequence].output), torch.stack(q)
