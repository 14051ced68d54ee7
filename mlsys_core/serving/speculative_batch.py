"""Speculative decoding in a batch that is made anew for every step: guesses get what the step has left.

Idea      A step over a few tokens waits for the weights, so a few more cost little. Behind the last token of each sequence that is to get
          the next one, guessed tokens are read in the same step, and one pass of the model says for all sequences at once which of them
          are kept. The memory of the others goes back before the next step. Guesses come after everything else: nobody waits for them
          and nobody is preempted for them.
Equation  drafted ≤ min(γ, tokens left of the budget, room in free blocks, tokens left of the output - 1);   kept as in `speculative`
Paper     Y. Leviathan et al., "Fast inference from transformers via speculative decoding", ICML 2023, algorithm 1; G.-I. Yu et al.,
          "Orca", OSDI 2022, section 3.1 (a batch for each step).
Cost      Drafting runs for one sequence after the other, before the step; a model that drafts has a cache for each, outside of the
          blocks. A sequence with guesses is a piece to attention, so such a step is not recorded (`graph_runner`).

Every output has the model's distribution exactly. But how many tokens are guessed, and so how many random numbers are used up, depends on
who else is there: with a seed, sampled tokens are the same again only in the same company. Greedy ones always are, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.drafts import Draft
from mlsys_core.serving.lengths import DraftLength, Round
from mlsys_core.serving.metrics import Metrics
from mlsys_core.serving.sampling import SamplingParams, log_probabilities, probabilities
from mlsys_core.serving.scheduler import Batch, Work
from mlsys_core.serving.sequence import Sequence
from mlsys_core.serving.speculative import verify


@dataclass(frozen=True)
class Speculation:
    """How an engine guesses: `draft` makes what drafts the tokens of one output, and `lengths` what says how many to draft."""

    draft: Callable[[], Draft]
    lengths: Callable[[], DraftLength]


@dataclass
class _Output:
    """One output's own way to guess, and the distributions (g, V) that the tokens of the present step were drawn from."""

    params: SamplingParams
    generator: torch.Generator
    draft: Draft
    lengths: DraftLength
    distributions: Tensor | None = None


class Speculator:
    """The guesses of all outputs of an engine, whose steps have at most `budget` tokens. Without a plan there are none."""

    def __init__(self, plan: Speculation | None, blocks: BlockManager, budget: int, metrics: Metrics) -> None:
        self.plan, self.blocks, self.budget, self.metrics = plan, blocks, budget, metrics
        self._outputs: dict[int, _Output] = {}  # by the sequence's number

    def begin(self, sequence: int, params: SamplingParams, generator: torch.Generator) -> None:
        """A new output; drafts and what becomes of them take random numbers from its generator."""
        if self.plan:
            self._outputs[sequence] = _Output(params, generator, self.plan.draft(), self.plan.lengths())

    def end(self, sequence: int) -> None:
        """Forgets an output."""
        self._outputs.pop(sequence, None)

    def draft(self, batch: Batch) -> None:
        """Adds guesses to the works of a scheduled batch after which a token is drawn, but not where outputs are about to split."""
        for i, work in enumerate(batch.works if self.plan else ()):
            if work.draws and not work.sequence.forks:
                guesses = self._guesses(work.sequence, self.budget - batch.tokens)
                batch.copies += self.blocks.append(work.sequence.id, len(guesses))
                batch.works[i] = replace(work, count=work.count + len(guesses), drafted=guesses)
                batch.tokens += len(guesses)

    def settle(self, work: Work, logits: Tensor) -> list[tuple[int, float]]:
        """Tokens to add, with their log-probabilities, by logits (1 + drafted, V). Gives back the memory of those that were refused."""
        one, drafted = self._outputs[work.sequence.id], torch.tensor(work.drafted)
        assert one.distributions is not None
        p = probabilities(logits.cpu(), one.params)
        accepted, following = verify(p, one.distributions, drafted, one.generator)
        tokens = torch.cat((drafted[:accepted], following[None]))
        work.sequence.computed += int(accepted)
        self.blocks.shrink(work.sequence.id, work.sequence.computed)
        self._note(one, Round(len(drafted), int(accepted)))
        logprobs = log_probabilities(logits[: len(tokens)], tokens.to(logits.device))
        return list(zip(tokens.tolist(), logprobs.tolist(), strict=True))

    def _guesses(self, sequence: Sequence, left: int) -> tuple[int, ...]:
        """What may follow, as far as step, memory and output have room, which is to have one for the token behind the guesses, too."""
        one = self._outputs[sequence.id]
        most = min(one.lengths.next(), left, sequence.longest - len(sequence.tokens) - 1)
        fits = (n for n in range(most, 0, -1) if self.blocks.needed(sequence.id, n) <= self.blocks.available)
        guesses, one.distributions = one.draft.propose(sequence.tokens, next(fits, 0), one.params, one.generator)
        if not len(guesses):
            one.lengths.record(Round(0, 0))
        return tuple(guesses.tolist())

    def _note(self, one: _Output, found: Round) -> None:
        one.lengths.record(found)
        self.metrics.rounds += 1
        self.metrics.drafted_tokens += found.drafted
        self.metrics.accepted_tokens += found.accepted
