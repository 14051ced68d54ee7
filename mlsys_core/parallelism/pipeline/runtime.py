"""Runs a schedule: real stages, real messages, gradients summed over microbatches.

Idea      A rank goes through its actions. A forward keeps its input and output until the backward, which sends the gradient of
          the input on. Nothing here knows of GPipe or 1F1B: the order is data, and any valid schedule runs.
Equation  loss = Σ_m n_m / n · loss_m for n_m tokens in microbatch m, so gradients are those of the whole batch
Paper     Y. Huang et al., "GPipe", NeurIPS 2019 (microbatches, recomputation); D. Narayanan et al., "PipeDream", SOSP 2019.
Cost      `schedule.message_bytes_cost`. With recomputation a stage keeps its input only, and runs each forward twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.communication import Communicator, Work
from mlsys_core.parallelism.pipeline.defer import DeferWeights, WeightProduct
from mlsys_core.parallelism.pipeline.memory import SavedBytes
from mlsys_core.parallelism.pipeline.schedule import Action, Kind, Product, Schedule
from mlsys_core.parallelism.pipeline.simulate import Durations
from mlsys_core.parallelism.pipeline.stage import Stage


@dataclass(frozen=True)
class Outcome:
    """What a rank saw of a run. `loss`: the whole batch's mean on the last rank, None on others; `in_flight`: the most
    activations held at once; `peak_bytes`: the most bytes that autograd held for backwards, parameters aside."""

    loss: float | None
    in_flight: int
    peak_bytes: int


@dataclass(frozen=True)
class Batch:
    """Microbatches of tokens and targets, each (b_m, T); every rank has all of them, and the first and last use them."""

    tokens: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]

    def share(self, m: int) -> float:
        """Part of all tokens that is in microbatch m."""
        return float(self.targets[m].numel() / sum(targets.numel() for targets in self.targets))


def split_batch(tokens: Tensor, targets: Tensor, microbatches: int) -> Batch:
    """Cuts a batch (B, T) into microbatches whose sizes differ by one at most."""
    return Batch(tokens.tensor_split(microbatches), targets.tensor_split(microbatches))


def run_schedule(
    schedule: Schedule,
    stages: Sequence[Stage],
    comm: Communicator,
    batch: Batch,
    *,
    recompute: bool = False,
    times: Durations | None = None,
) -> Outcome:
    """Adds the gradients of the batch to the parameters of this rank's stages (one a chunk), by the schedule.

    Tied embeddings are summed by `sum_tied_gradients`, once before the optimizer's step. `times` move the model's clock.
    Raises ValueError where schedule, ranks, stages and batch do not fit each other.
    """
    sizes = (comm.size, len(stages), len(batch.tokens))
    if sizes != (schedule.ranks, schedule.chunks, schedule.microbatches):
        wanted = (schedule.ranks, schedule.chunks, schedule.microbatches)
        raise ValueError(
            f"Ranks, chunks and microbatches are {sizes}, and the schedule {schedule.name} is for {wanted}."
        )
    rank = _Rank(schedule, stages, comm, batch, recompute=recompute)
    for action in schedule.actions[comm.rank]:
        rank.receive(action)
        if times is not None:
            comm.compute(float(times.of(action.kind, schedule.stage_of(comm.rank, action))), str(action))
        rank.run(action)
    rank.finish()
    return Outcome(rank.loss if stages[-1].last else None, rank.most, rank.saved.peak)


class _Inbox:
    """Receives from one rank in the order in which it sends, and keeps what is early."""

    def __init__(self, schedule: Schedule, comm: Communicator, source: int) -> None:
        self.comm, self.source = comm, source
        products = (schedule.makes(source, action) for action in schedule.actions[source])
        self.coming = deque(p for p in products if p is not None and schedule.goes_to(p) == comm.rank)
        self.early: dict[Product, Tensor] = {}

    def take(self, product: Product, new: Callable[[int], Tensor]) -> Tensor:
        """Waits for a product; `new` makes a tensor like those of a microbatch."""
        while product not in self.early:
            coming = self.coming.popleft()
            self.early[coming] = self.comm.recv(new(coming.microbatch), self.source)
        return self.early.pop(product)


@dataclass
class _Flight:
    """A microbatch between its forward and the end of its backward."""

    x: Tensor | None  # None once the gradient of the input has been made
    y: Tensor | None = None  # None where it will be computed again
    todo: list[WeightProduct] = field(default_factory=list)
    held: list[object] = field(default_factory=list)  # handles that count these tensors


class _Rank:
    """What one rank holds while it runs a schedule."""

    def __init__(
        self, schedule: Schedule, stages: Sequence[Stage], comm: Communicator, batch: Batch, *, recompute: bool
    ) -> None:
        self.schedule, self.stages, self.comm, self.batch = schedule, stages, comm, batch
        self.recompute = recompute
        self.inboxes = {rank: _Inbox(schedule, comm, rank) for rank in range(schedule.ranks) if rank != comm.rank}
        self.dtype = next(parameter.dtype for stage in stages for parameter in stage.parameters())
        self.saved = SavedBytes(parameter for stage in stages for parameter in stage.parameters())
        self.there: dict[Product, Tensor] = {}  # received, or made by another chunk of this rank
        self.flights: dict[tuple[int, int], _Flight] = {}  # by microbatch and chunk
        self.sending: list[Work] = []
        self.loss, self.most = 0.0, 0

    def receive(self, action: Action) -> None:
        """Waits for what an action needs from other ranks."""
        for product in self.schedule.needs(self.comm.rank, action):
            if (source := self.schedule.rank_of(product.stage)) != self.comm.rank:
                self.there[product] = self.inboxes[source].take(product, self._new)

    def run(self, action: Action) -> None:
        """Runs an action and hands on what it made."""
        parts = {Kind.FORWARD: self._forward, Kind.WEIGHT: self._weights}
        made = parts.get(action.kind, self._backward)(action)
        product = self.schedule.makes(self.comm.rank, action)
        if made is None or product is None:
            return
        to = self.schedule.goes_to(product)
        if to is None:
            self.there[product] = made
        else:
            with self.comm.label(product.name):
                self.sending.append(self.comm.isend(made, to))

    def finish(self) -> None:
        """Waits until everything has left."""
        for work in self.sending:
            work.wait()

    def _forward(self, action: Action) -> Tensor | None:
        """The output of the stage; of the last stage the loss, which stays."""
        stage, m = self.stages[action.chunk], action.microbatch
        before = Product("activation", m, self.schedule.stage_of(self.comm.rank, action) - 1)
        x = self.batch.tokens[m] if stage.first else self.there.pop(before).requires_grad_()
        flight = _Flight(x)
        with torch.set_grad_enabled(not self.recompute):
            y = self._through(stage, flight, m)
        flight.y = None if self.recompute else y
        flight.held = [self.saved.keep(t) for t in (flight.x, flight.y) if t is not None and t.is_floating_point()]
        self.flights[m, action.chunk] = flight
        self.most = max(self.most, len(self.flights))
        if stage.last:
            self.loss += y.item()
            return None
        return y.detach()

    def _backward(self, action: Action) -> Tensor | None:
        """The gradient of the stage's input; the first stage has none. Weights get theirs, or leave them on the list."""
        stage, m = self.stages[action.chunk], action.microbatch
        flight = self.flights[m, action.chunk]
        after = Product("gradient", m, self.schedule.stage_of(self.comm.rank, action) + 1)
        y = self._through(stage, flight, m) if flight.y is None else flight.y
        torch.autograd.backward(y, None if stage.last else self.there.pop(after))
        gradient = None if flight.x is None else flight.x.grad
        flight.held = [self.saved.keep(tensor) for product in flight.todo for tensor in (product.x, product.gradient)]
        flight.x = flight.y = None
        if action.kind is Kind.BACKWARD:
            self._weights(action)
        return gradient

    def _weights(self, action: Action) -> None:
        """Works off what the backward left, and lets the microbatch go."""
        for product in self.flights.pop((action.microbatch, action.chunk)).todo:
            product.add()

    def _through(self, stage: Stage, flight: _Flight, m: int) -> Tensor:
        """A stage's output for a microbatch, or its share of the batch's loss."""
        with self.saved.counting(), DeferWeights(flight.todo) if self._split() else nullcontext():
            y = stage(flight.x)
            if not stage.last:
                return y
            loss: Tensor = F.cross_entropy(y.flatten(0, 1), self.batch.targets[m].flatten())
            return loss * self.batch.share(m)

    def _split(self) -> bool:
        return any(action.kind is Kind.WEIGHT for action in self.schedule.actions[self.comm.rank])

    def _new(self, m: int) -> Tensor:
        return torch.empty((*self.batch.tokens[m].shape, self.stages[0].config.dim), dtype=self.dtype)
