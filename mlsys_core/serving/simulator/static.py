"""A batch that stays together until its last sequence ends: how models were served before.

Idea      The requests of a batch begin together, padded to the longest prompt, and end together: those that are done are computed on
          and wait for the longest output, and those that come meanwhile wait for all of them.
Equation  steps = max_i output_i;   rows computed in vain: Σ_i (max_j output_j - output_i)
Paper     G.-I. Yu et al., "Orca", OSDI 2022, section 2 and figure 3 (scheduling by requests, as FasterTransformer is used).
Cost      max / mean of the outputs times the steps that they need.
"""

from __future__ import annotations

from mlsys_core.serving.simulator.schedulers import QueueScheduler
from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.serving.simulator.timing import Batch


class StaticBatching(QueueScheduler):
    """Batches of requests, each as large as its memory and `max_batch` allow."""

    def schedule(self, now: float) -> Batch:
        if not self.running:
            while self._admit(now):
                pass
        batch = Batch()
        if not self.running:
            return batch
        longest = max(sequence.request.prompt for sequence in self.running)
        steps = max(sequence.generated for sequence in self.running)
        for sequence in self.running:
            if sequence.generated < sequence.request.output:
                new = sequence.known - sequence.computed
                self.memory.grow(sequence, new)
                batch.entries.append((sequence, new))
            # everyone's row is as long as the longest, and goes on after its end
            batch.pad(1 if steps else longest, longest + steps - 1 if steps else 0)
        return batch

    def complete(self, batch: Batch, now: float) -> list[Sequence]:
        for sequence, new in batch.entries:
            sequence.advance(new, now)
        if any(sequence.generated < sequence.request.output for sequence in self.running):
            return []
        ended, self._running = self._running, []
        for sequence in ended:
            sequence.finished_at = now
            self.memory.release(sequence)
        return ended
