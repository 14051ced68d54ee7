"""Pipeline schedules as data: what each rank does, in which order.

Idea      The layers are cut into stages, the batch into microbatches. GPipe runs all forwards, then all backwards. 1F1B begins
          with backwards as soon as it can, so that few activations wait. Interleaved 1F1B gives each rank v smaller stages, so that
          the pipeline fills and drains in smaller steps.
Equation  bubble = (p-1)/m of the useful time for GPipe and 1F1B, (p-1)/(v m) interleaved; p ranks, m microbatches
Paper     Y. Huang et al., "GPipe", NeurIPS 2019; D. Narayanan et al., "PipeDream", SOSP 2019, and "Efficient large-scale
          language model training on GPU clusters using Megatron-LM", SC 2021, section 2.2.
Cost      Activations of m microbatches (GPipe), of p - rank (1F1B), or of (v+1) p - 2 rank - 1 chunks, each 1/v of a rank's
          layers (interleaved), wait for their backward; interleaving sends v times as many messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Kind(StrEnum):
    """What an action does with a microbatch."""

    FORWARD = "F"
    BACKWARD = "B"  # both of the following at once
    INPUT = "I"  # the gradient of the stage's input, which the stage before waits for
    WEIGHT = "W"  # the gradient of its weights, which nobody waits for


@dataclass(frozen=True, order=True)
class Action:
    """One microbatch through one of the rank's chunks of layers."""

    kind: Kind
    microbatch: int
    chunk: int = 0

    def __str__(self) -> str:
        return f"{self.kind}{self.microbatch}" + (f".{self.chunk}" if self.chunk else "")


@dataclass(frozen=True, order=True)
class Product:
    """What an action leaves for others: the output of a stage (`activation`), or the gradient of its input (`gradient`)."""

    name: str
    microbatch: int
    stage: int

    def __str__(self) -> str:
        return f"the {self.name} of microbatch {self.microbatch} from stage {self.stage}"


@dataclass(frozen=True)
class Schedule:
    """Actions of each rank in order, and the promise of how many activations it holds at once.

    Chunk c of rank r is stage c · ranks + r of the model: the stages go round the ranks `chunks` times.
    """

    name: str
    ranks: int
    microbatches: int
    chunks: int
    actions: tuple[tuple[Action, ...], ...]
    slots: tuple[int, ...]

    @property
    def stages(self) -> int:
        """How many pieces the model is cut into."""
        return self.ranks * self.chunks

    def stage_of(self, rank: int, action: Action) -> int:
        """The stage that an action of a rank runs."""
        return action.chunk * self.ranks + rank

    def rank_of(self, stage: int) -> int:
        """Where a stage lives."""
        return stage % self.ranks

    def needs(self, rank: int, action: Action) -> list[Product]:
        """What must be there before an action can run; products of other ranks come as messages."""
        stage, m = self.stage_of(rank, action), action.microbatch
        if action.kind is Kind.FORWARD:
            return [Product("activation", m, stage - 1)] if stage else []
        if action.kind is Kind.WEIGHT:
            return [Product("gradient", m, stage)]
        own = [Product("activation", m, stage)]
        return own if stage == self.stages - 1 else [*own, Product("gradient", m, stage + 1)]

    def makes(self, rank: int, action: Action) -> Product | None:
        """What an action leaves; the gradient of weights is for nobody else."""
        if action.kind is Kind.WEIGHT:
            return None
        name = "activation" if action.kind is Kind.FORWARD else "gradient"
        return Product(name, action.microbatch, self.stage_of(rank, action))

    def goes_to(self, product: Product) -> int | None:
        """The rank that a product is sent to; None where it stays, or where it is the end of the pipeline."""
        stage = product.stage + (1 if product.name == "activation" else -1)
        if not 0 <= stage < self.stages or self.rank_of(stage) == self.rank_of(product.stage):
            return None
        return self.rank_of(stage)


def gpipe(ranks: int, microbatches: int) -> Schedule:
    """All forwards, then all backwards."""
    _check_sizes(ranks, microbatches)
    forwards = [Action(Kind.FORWARD, m) for m in range(microbatches)]
    backwards = [Action(Kind.BACKWARD, m) for m in range(microbatches)]
    actions = (tuple(forwards + backwards),) * ranks
    return Schedule("GPipe", ranks, microbatches, 1, actions, (microbatches,) * ranks)


def one_f_one_b(ranks: int, microbatches: int) -> Schedule:
    """Forwards until the first gradient can be there, then one backward after each forward."""
    _check_sizes(ranks, microbatches)
    forwards = [Action(Kind.FORWARD, m) for m in range(microbatches)]
    backwards = [Action(Kind.BACKWARD, m) for m in range(microbatches)]
    warmups = [min(ranks - 1 - rank, microbatches) for rank in range(ranks)]
    actions = tuple(_alternate(forwards, backwards, warmup) for warmup in warmups)
    return Schedule("1F1B", ranks, microbatches, 1, actions, _slots(warmups, microbatches))


def interleaved_1f1b(ranks: int, microbatches: int, chunks: int) -> Schedule:
    """1F1B over `chunks` smaller stages a rank, taken up for `ranks` microbatches at a time.

    Raises ValueError where the microbatches are no multiple of the ranks: a round would have a hole.
    """
    _check_sizes(ranks, microbatches)
    if chunks < 1 or microbatches % ranks:
        raise ValueError(
            f"{microbatches} microbatches in {chunks} chunks on {ranks} ranks: give at least one chunk, and a multiple of {ranks}."
        )
    total, turn = microbatches * chunks, ranks * chunks
    places = [(k // turn * ranks + k % ranks, k % turn // ranks) for k in range(total)]
    forwards = [Action(Kind.FORWARD, m, chunk) for m, chunk in places]
    backwards = [Action(Kind.BACKWARD, m, chunks - 1 - chunk) for m, chunk in places]
    # with one chunk the stages need no second lap, and this is 1F1B; with more, a gradient comes two steps later a rank
    steps = 2 if chunks > 1 else 1
    warmups = [min((ranks - 1 - rank) * steps + (chunks - 1) * ranks, total) for rank in range(ranks)]
    actions = tuple(_alternate(forwards, backwards, warmup) for warmup in warmups)
    return Schedule("interleaved 1F1B", ranks, microbatches, chunks, actions, _slots(warmups, total))


def bubble_cost(ranks: int, microbatches: int, chunks: int = 1) -> Fraction:
    """Idle time of a rank by its useful time, for equal stages and free transfers: (p-1) / (v m)."""
    return Fraction(ranks - 1, chunks * microbatches)


def message_bytes_cost(schedule: Schedule, batch: int, time: int, dim: int, item_bytes: int) -> int:
    """Bytes that all ranks send: a boundary carries b · s · h values of each microbatch, once in each direction.

    `batch` is the sequences of all microbatches together, so their number does not matter; a single rank sends nothing.
    """
    boundaries = schedule.stages - 1 if schedule.ranks > 1 else 0
    return 2 * boundaries * batch * time * dim * item_bytes


def _alternate(forwards: list[Action], backwards: list[Action], warmup: int) -> tuple[Action, ...]:
    """`warmup` forwards; a forward and a backward in turn; the backwards that are left."""
    steady = [action for pair in zip(forwards[warmup:], backwards, strict=False) for action in pair]
    return (*forwards[:warmup], *steady, *backwards[len(forwards) - warmup :])


def _slots(warmups: list[int], total: int) -> tuple[int, ...]:
    return tuple(min(warmup + 1, total) for warmup in warmups)


def _check_sizes(ranks: int, microbatches: int) -> None:
    if ranks < 1 or microbatches < 1:
        raise ValueError(
            f"A pipeline of {ranks} ranks and {microbatches} microbatches does nothing: give at least one."
        )
