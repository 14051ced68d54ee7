"""Speculative decoding in a batch that is made anew for every step: guesses get what the step has left.

Idea      A step over a few tokens waits for the weights, so a few more cost little. Behind the last token of each sequence that is to get
          the next one, guessed tokens are read in the same step, and one pass of the model says for all sequences at once which of them
          are kept. The memory of the others goes back before the next step. Guesses come after everything else: nobody waits for them
          and nobody is preempted for them.
Equation  drafted ≤ min(γ, tokens left of the budget, room in free blocks, tokens left of the output - 1);   kept as in `speculative`
Paper     Y. Leviathan et al., "Fast inference from transformers via speculative decoding", ICML 2023, algorithm 1; G.-I. Yu et al.,
          "Orca", OSDI 2022, section 3.1 (a batch for each step).
Cost      Drafting as `batch_drafts` says, before the step; outputs with as many guesses are tested together. A sequence with guesses is
          a piece to attention, so such a step is not recorded (`graph_runner`). With many outputs the step waits for arithmetic rather
          than for weights, and guesses are no longer cheap: `draft_cost` measures it, and `lengths` stops where it does not pay.

Every output has the model's distribution exactly. But how many tokens are guessed, and so how many random numbers are used up, depends on
who else is there: with a seed, sampled tokens are the same again only in the same company. Greedy ones always are, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.serving.batch_drafts import Ask, Drafts, EachAlone, ModelDrafts
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.drafts import Draft
from mlsys_core.serving.lengths import DraftLength, Round
from mlsys_core.serving.metrics import Metrics
from mlsys_core.serving.sampling import SamplingParams, log_probabilities, probabilities_each
from mlsys_core.serving.scheduler import Batch, Work
from mlsys_core.serving.sequence import Sequence
from mlsys_core.serving.speculative import verify_at
from mlsys_core.workloads.gpt import GPT, GPTConfig

Settled = tuple[Sequence, list[tuple[int, float]]]


@dataclass(frozen=True)
class Speculation:
    """How an engine guesses.

    draft    a model of the same vocabulary, or what makes the draft of one output
    lengths  makes what says how many tokens to draft for one output; it may give the same object for all of them
    cost     c, time of drafting and testing a token over that of a step, by the number of outputs in the step (`draft_cost`)
    """

    draft: GPT | Callable[[], Draft]
    lengths: Callable[[], DraftLength]
    cost: Callable[[int], float] | None = None

    def drafts(self, model: GPTConfig, config: EngineConfig) -> Drafts:
        """For an engine of that model. Raises ValueError for a draft that knows other tokens or shorter texts."""
        if not isinstance(self.draft, GPT):
            return EachAlone(self.draft)
        small = self.draft.config
        if small.vocab_size != model.vocab_size or small.context < model.context:
            raise ValueError(
                f"The draft has {small.vocab_size} tokens and a context of {small.context}, the model {model.vocab_size} and "
                f"{model.context}: take a draft of the same tokens that reads texts as long."
            )
        return ModelDrafts(self.draft, config)


@dataclass
class _Output:
    """What one output draws by, how many tokens to guess, and the distributions (g, V) of the present step's guesses."""

    params: SamplingParams
    generator: torch.Generator
    lengths: DraftLength
    distributions: Tensor


class Speculator:
    """The guesses of all outputs of an engine. Without a plan there are none."""

    def __init__(
        self, plan: Speculation | None, model: GPTConfig, config: EngineConfig, blocks: BlockManager, metrics: Metrics
    ) -> None:
        self.plan, self.blocks, self.metrics = plan, blocks, metrics
        self.budget = config.scheduler.token_budget
        self.drafts = plan.drafts(model, config) if plan else None
        self._outputs: dict[int, _Output] = {}  # by the sequence's number

    def begin(self, sequence: int, params: SamplingParams, generator: torch.Generator) -> None:
        """A new output; drafts and what becomes of them take random numbers from its generator."""
        if self.plan:
            self._outputs[sequence] = _Output(params, generator, self.plan.lengths(), torch.empty(0))

    def end(self, sequence: int) -> None:
        """Forgets an output."""
        if self.drafts:
            self.drafts.forget(sequence)
            del self._outputs[sequence]

    def draft(self, batch: Batch) -> None:
        """Adds guesses to the works of a scheduled batch after which a token is drawn, but not where outputs are about to split."""
        if not self.drafts:
            return
        for sequence in batch.preempted:
            self.drafts.forget(sequence.id)
        places = [i for i, work in enumerate(batch.works) if work.draws and not work.sequence.forks]
        asks = list(self._asks([batch.works[i].sequence for i in places], self.budget - batch.tokens))
        idle = set[DraftLength]()
        for i, (guesses, distributions) in zip(places, self.drafts.propose(asks), strict=True):
            work, one = batch.works[i], self._outputs[batch.works[i].sequence.id]
            one.distributions = distributions
            batch.copies += self.blocks.append(work.sequence.id, len(guesses))
            batch.works[i] = replace(work, count=work.count + len(guesses), drafted=tuple(guesses.tolist()))
            batch.tokens += len(guesses)
            if not len(guesses):
                idle.add(one.lengths)
        for lengths in idle:  # a step counts once, for however many outputs
            lengths.record(Round(0, 0))

    def settle(self, works: Items[Work], logits: dict[int, Tensor]) -> list[Settled]:
        """Tokens to add after guesses, with their log-probabilities, by logits (1 + drafted, V) of each sequence.

        Gives back the memory of those that were refused.
        """
        alike = groupby(sorted(works, key=_guessed), key=_guessed)
        return [one for _, group in alike for one in self._settle_alike(list(group), logits)]

    def _asks(self, sequences: Items[Sequence], left: int) -> Iterator[Ask]:
        """As many guesses as step, memory and output have room for, which is to have one for the token behind the guesses, too."""
        promised, cost = 0, self.plan.cost(len(sequences)) if self.plan and self.plan.cost and sequences else None
        for sequence in sequences:
            one = self._outputs[sequence.id]
            most = min(one.lengths.next(cost), left, sequence.longest - len(sequence.tokens) - 1)
            room = self.blocks.available - promised
            count = next((n for n in range(most, 0, -1) if self.blocks.needed(sequence.id, n) <= room), 0)
            promised += self.blocks.needed(sequence.id, count) if count else 0
            left -= count
            yield Ask(sequence.id, sequence.tokens, count, one.params, one.generator)

    def _settle_alike(self, works: list[Work], logits: dict[int, Tensor]) -> Iterator[Settled]:
        """Of sequences with the same number of guesses, all at once."""
        outputs = [self._outputs[work.sequence.id] for work in works]
        rows, drafted = torch.stack([logits[w.sequence.id] for w in works]), torch.tensor([w.drafted for w in works])
        p, q = (
            probabilities_each(rows.cpu(), [o.params for o in outputs]),
            torch.stack([o.distributions for o in outputs]),
        )
        uniform = torch.stack([torch.rand(p.shape[1], dtype=torch.float64, generator=o.generator) for o in outputs])
        accepted, following = verify_at(p, q, drafted, uniform)
        tokens = F.pad(drafted, (0, 1)).scatter(1, accepted[:, None], following[:, None])
        logprobs = log_probabilities(rows, tokens.to(rows.device)).tolist()
        for work, one, kept, *drawn in zip(works, outputs, accepted.tolist(), tokens.tolist(), logprobs, strict=True):
            work.sequence.computed += kept
            self.blocks.shrink(work.sequence.id, work.sequence.computed)
            self._note(one, Round(len(work.drafted), kept))
            yield work.sequence, list(zip(*(column[: kept + 1] for column in drawn), strict=True))

    def _note(self, one: _Output, found: Round) -> None:
        one.lengths.record(found)
        self.metrics.rounds += 1
        self.metrics.drafted_tokens += found.drafted
        self.metrics.accepted_tokens += found.accepted


def _guessed(work: Work) -> int:
    return len(work.drafted)
