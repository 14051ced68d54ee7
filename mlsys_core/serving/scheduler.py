"""Which tokens the next step computes: continuous batching under a budget, with chunks of prompts and preemption.

Idea      A batch is made anew for every step. Whoever is running gets his next token; what is left of the budget goes to prompts, cut to
          fit, so that a long prompt neither waits for the batch to end nor holds everybody up. When memory runs out, the one who came
          last gives his up: it is computed again later, or kept on the host meanwhile.
Equation  Σ tokens of a step ≤ budget;   Σ seats ≤ max_sequences ≤ budget, so everyone who is running advances in every step
Paper     G.-I. Yu et al., "Orca", OSDI 2022, section 3.1 (iteration-level scheduling); W. Kwon et al., "PagedAttention", SOSP 2023,
          section 4.5 (recompute or swap); A. Agrawal et al., "Taming throughput-latency tradeoff in LLM inference with Sarathi-Serve",
          OSDI 2024, section 4 (chunked prefill).
Cost      `preemption_cost` compares the two ways; a schedule is O(running + admitted), and a sort of the line where the order needs one.

This is bookkeeping only: no tensor, no clock. `engine` runs its batches on a model, a simulator can price them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from mlsys_core.serving.blocks import BlockManager, Pairs
from mlsys_core.serving.order import ORDERS, first_come
from mlsys_core.serving.sequence import Sequence, Status


@dataclass(frozen=True)
class SchedulerConfig:
    """Limits of a step.

    token_budget   tokens that a step computes at most
    max_sequences  outputs that run at once
    preemption     what becomes of the memory of one who has to wait
    order          of those in line: "fcfs", "longest-prefix" or "depth-first"
    patience       after so many schedules in line one goes before all who came later, whatever the order
    """

    token_budget: int = 512
    max_sequences: int = 64
    preemption: Literal["recompute", "swap"] = "recompute"
    order: Literal["fcfs", "longest-prefix", "depth-first"] = "fcfs"
    patience: int = 256

    def __post_init__(self) -> None:
        if not 1 <= self.max_sequences <= self.token_budget:
            raise ValueError(
                f"A budget of {self.token_budget} tokens does not let {self.max_sequences} sequences advance in each step: "
                "give at least one sequence, and a token for each."
            )


@dataclass(frozen=True)
class Work:
    """Tokens start … start + count - 1 of a sequence, to be computed in this step. The last ones may be `drafted`, and not its own yet."""

    sequence: Sequence
    start: int
    count: int
    drafted: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """Where its own tokens end."""
        return self.start + self.count - len(self.drafted)

    @property
    def tokens(self) -> list[int]:
        """What is computed."""
        return [*self.sequence.tokens[self.start : self.end], *self.drafted]

    @property
    def draws(self) -> bool:
        """Whether its next token can be drawn after this."""
        return self.end == len(self.sequence.tokens)


@dataclass
class Batch:
    """A step: copies to make first, in this order, and then what to compute."""

    swap_out: Pairs = field(default_factory=list)
    swap_in: Pairs = field(default_factory=list)
    copies: Pairs = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    preempted: list[Sequence] = field(default_factory=list)
    tokens: int = 0  # how many are computed


def preemption_cost(
    tokens: int, *, bytes_per_token: float, host_bytes_per_s: float, tokens_per_s: float
) -> dict[str, float]:
    """Seconds that a preempted sequence of so many tokens costs: computed again, or sent to the host and back."""
    return {"recompute": tokens / tokens_per_s, "swap": 2 * tokens * bytes_per_token / host_bytes_per_s}


class Scheduler:
    """Sequences in three places: in line (`waiting`), in the batch (`running`, the order of admission), on the host (`swapped`)."""

    def __init__(self, config: SchedulerConfig, blocks: BlockManager) -> None:
        self.config, self.blocks = config, blocks
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.swapped: list[Sequence] = []
        self.preemptions = {"recompute": 0, "swap": 0}

    def __len__(self) -> int:
        return len(self.waiting) + len(self.running) + len(self.swapped)

    def add(self, sequence: Sequence) -> None:
        """Puts a sequence in line. Raises ValueError for one that can never run here."""
        room = self.blocks.device.size * self.blocks.block_size
        if sequence.longest > room:
            raise ValueError(f"{sequence.longest} tokens do not fit into the memory for {room}: ask for fewer.")
        if sequence.seats > self.config.max_sequences:
            raise ValueError(
                f"{sequence.seats} outputs are more than the {self.config.max_sequences} that run at once: ask for fewer."
            )
        self.waiting.append(sequence)

    def schedule(self) -> Batch:
        """The next step. Everyone who was running is in it, or has been preempted."""
        batch = Batch()
        for sequence in list(self.running):
            if sequence.status is Status.RUNNING and self._make_room(sequence, batch):
                self._compute(sequence, batch)
        # Nobody new gets the room that one who was running has just had to give up.
        if not batch.preempted:
            self._admit(batch)
        for sequence in self.waiting:
            sequence.waited += 1
        return batch

    def computed(self, batch: Batch) -> None:
        """Says that a batch has run: its tokens have keys and values in memory, which others may share from now on."""
        for work in batch.works:
            sequence = work.sequence
            if sequence.status is Status.RUNNING:
                sequence.computed = work.end
                self.blocks.commit(sequence.id, sequence.tokens[: sequence.computed])

    def fork(self, sequence: Sequence, ids: Iterable[int]) -> list[Sequence]:
        """Splits off the outputs that a sequence has seats for; they share its memory and run behind it."""
        children = []
        for number in ids:
            child = Sequence(
                number, list(sequence.tokens), sequence.longest, sequence.arrival, computed=sequence.computed
            )
            child.prompt, child.status = sequence.prompt, Status.RUNNING
            self.blocks.fork(sequence.id, number)
            children.append(child)
        sequence.forks -= len(children)
        place = self.running.index(sequence) + 1
        self.running[place:place] = children
        return children

    def finish(self, sequence: Sequence) -> None:
        """Takes a sequence out, wherever it is, and frees its memory."""
        for line in (self.waiting, self.running, self.swapped):
            if sequence in line:
                line.remove(sequence)
        if sequence.id in self.blocks.tables:
            self.blocks.release(sequence.id)
        sequence.status = Status.FINISHED

    def _share(self, sequence: Sequence, batch: Batch) -> int:
        """How many of a sequence's tokens the budget lets it compute."""
        return min(sequence.due, self.config.token_budget - batch.tokens)

    def _make_room(self, sequence: Sequence, batch: Batch) -> bool:
        """Preempts from the end until a sequence can go on; False when it was the last one itself."""
        while self.blocks.needed(sequence.id, self._share(sequence, batch)) > self.blocks.available:
            last = self.running[-1]
            self._preempt(last, batch)
            if last is sequence:
                return False
        return True

    def _compute(self, sequence: Sequence, batch: Batch) -> None:
        count = self._share(sequence, batch)
        batch.copies += self.blocks.append(sequence.id, count)
        batch.works.append(Work(sequence, sequence.computed, count))
        batch.tokens += count

    def _preempt(self, sequence: Sequence, batch: Batch) -> None:
        """Takes the memory of one who is running. It was not given a share in this step: it is behind all who were."""
        self.running.remove(sequence)
        sequence.preemptions += 1
        batch.preempted.append(sequence)
        if self.config.preemption == "swap" and self.blocks.can_swap_out(sequence.id):
            batch.swap_out += self.blocks.swap_out(sequence.id)
            sequence.status = Status.SWAPPED
            self.swapped.append(sequence)
            self.preemptions["swap"] += 1
        else:
            self.blocks.release(sequence.id)
            sequence.status, sequence.computed, sequence.waited = Status.WAITING, 0, 0
            self.waiting.append(sequence)
            self.preemptions["recompute"] += 1

    def _line(self) -> list[Sequence]:
        """All who are not running, in the order in which they get in."""
        patient = [s for s in self.waiting if s.waited >= self.config.patience]
        others = [s for s in self.waiting if s.waited < self.config.patience]
        line = first_come(patient, self.blocks) + ORDERS[self.config.order](others, self.blocks)
        if self.config.order == "fcfs":
            return first_come(line + self.swapped, self.blocks)
        return first_come(self.swapped, self.blocks) + line

    def _admit(self, batch: Batch) -> None:
        """Lets in from the head of the line until a seat, the budget or memory is short. Nobody is passed by for a smaller one."""
        if not self.waiting and not self.swapped:
            return
        seats = self.config.max_sequences - sum(sequence.seats for sequence in self.running)
        for sequence in self._line():
            seats -= sequence.seats
            if seats < 0 or self._share(sequence, batch) < 1 or not self._fits(sequence):
                break
            if sequence.status is Status.SWAPPED:
                self.swapped.remove(sequence)
                batch.swap_in += self.blocks.swap_in(sequence.id)
            else:
                self.waiting.remove(sequence)
                sequence.computed = self.blocks.allocate(sequence.id, sequence.tokens)
                sequence.cached = sequence.cached or sequence.computed
            sequence.status = Status.RUNNING
            self.running.append(sequence)
            self._compute(sequence, batch)

    def _fits(self, sequence: Sequence) -> bool:
        if sequence.status is Status.SWAPPED:
            return self.blocks.needed(sequence.id, sequence.due) <= self.blocks.available
        return self.blocks.fits(sequence.tokens)
