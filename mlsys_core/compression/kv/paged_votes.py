"""H2O and SnapKV in the engine's blocks: attention says what each sequence's queries gave to what it holds, and the policy chooses.

Idea      Both choose by the weights of attention, which an engine never sees. So the attention is watched: beside its result it hands
          over, layer by layer, a vote of each head of keys for each token. H2O adds the votes of all steps up and cuts after each;
          SnapKV takes those of the step in which a prompt ends.
Equation  F ← F + votes(A),  kept = policy.kept(F)
Paper     Z. Zhang et al., "H2O", NeurIPS 2023, algorithm 1; Y. Li et al., "SnapKV", NeurIPS 2024, section 4.
Cost      The weights are computed a second time, for one sequence after the other, in every step with H2O, and for prompts with SnapKV.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.compression.kv.cache import attention_weights
from mlsys_core.compression.kv.h2o import H2O
from mlsys_core.compression.kv.paged import DroppingRunner
from mlsys_core.compression.kv.snapkv import SnapKV
from mlsys_core.serving.attention import Layout, TorchAttention
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.cache import PagedCache
from mlsys_core.serving.scheduler import Work
from mlsys_core.workloads.gpt import GPT


class VotingRunner(DroppingRunner):
    """H2O, which adds up what tokens are given and cuts after every step, and SnapKV, which cuts a prompt once it has been read."""

    def __init__(self, model: GPT, cache: PagedCache, policy: H2O | SnapKV) -> None:
        self.watched = WatchedAttention(policy.votes)
        super().__init__(model, cache, self.watched)
        self.policy = policy
        self.sums: dict[int, Tensor] = {}  # of H2O, by sequence, (layers, Hk, n) float32

    def layout(self, works: Sequence[Work], blocks: BlockManager) -> Layout:
        """Forgets those that have ended, and says whether anybody's votes are needed."""
        self.sums = {number: sums for number, sums in self.sums.items() if number in blocks.tables}
        self.watched.votes.clear()
        self.watched.active = isinstance(self.policy, H2O) or any(map(_ends_prompt, works))
        return super().layout(works, blocks)

    def cut(self, works: Sequence[Work], blocks: BlockManager) -> None:
        """Chooses in each layer and head, by the votes of the step or by all since the beginning."""
        for i, work in enumerate(works):
            number, held = work.sequence.id, blocks.tables[work.sequence.id].length
            if isinstance(self.policy, H2O):
                self._add(i, work, held)
                votes = self.sums[number]
            elif _ends_prompt(work):
                votes = self.watched.of(i)
            else:
                continue
            if held > self.policy.budget:
                kept = self.policy.kept(votes)
                self.keep(number, kept, blocks)
                if isinstance(self.policy, H2O):
                    self.sums[number] = votes.gather(-1, kept)

    def _add(self, i: int, work: Work, held: int) -> None:
        """A sequence that is read from its first token on has no sums, whatever it had before it was preempted."""
        votes = self.watched.of(i)
        if work.start:
            before = self.sums[work.sequence.id]
            votes = votes + F.pad(before, (0, held - before.shape[-1]))
        self.sums[work.sequence.id] = votes


def _ends_prompt(work: Work) -> bool:
    """Whether the last token of a prompt is in it."""
    return work.start < work.sequence.prompt <= work.start + work.count


class WatchedAttention(TorchAttention):
    """Torch's attention; while it is `active`, `votes` gets, layer by layer, what each sequence's queries give: (Hk, n) of each."""

    def __init__(self, vote: Callable[[Tensor], Tensor]) -> None:
        self.vote, self.active = vote, False
        self.votes: list[list[Tensor]] = []

    def attend(self, q: Tensor, keys: Tensor, values: Tensor, layout: Layout) -> Tensor:
        """q (T, H, D) -> (T, H, D)."""
        if self.active:
            cuts = zip(layout.starts.tolist(), layout.starts[1:].tolist(), layout.tables.long(), strict=False)
            held = layout.contexts.tolist()
            self.votes.append(
                [self._voted(q[a:b], keys[table], n) for (a, b, table), n in zip(cuts, held, strict=True)]
            )
        return super().attend(q, keys, values, layout)

    def of(self, i: int) -> Tensor:
        """Votes (layers, Hk, n) of the i-th sequence of the last step."""
        return torch.stack([layer[i] for layer in self.votes])

    def _voted(self, q: Tensor, keys: Tensor, held: int) -> Tensor:
        """q (T, H, D), keys (M, s, Hk, D) of one sequence."""
        k = keys.flatten(0, 1)[:held].transpose(0, 1)[None]
        return self.vote(attention_weights(q.transpose(0, 1)[None], k)[0])
