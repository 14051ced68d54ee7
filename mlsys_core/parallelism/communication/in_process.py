"""Ranks as threads of one process: deterministic, with a log of every message, a modelled clock, and deadlocks that are told.

Idea      A message is a copy in a mailbox. Each rank has a clock that only computation and messages move, so the order in which
          threads really run changes nothing that is recorded.
Equation  See `log`.
Paper     L. Lamport, "Time, clocks, and the ordering of events in a distributed system", CACM 21(7), 1978.
Cost      A copy a message and two turns of a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mlsys_core.parallelism.communication.communicator import Communicator, Work
from mlsys_core.parallelism.communication.log import Fabric, Log, Message, Span
from mlsys_core.parallelism.communication.world import Letter, World

MAIN, BESIDE = "main", "beside"


@dataclass
class _Rank:
    """Clocks and ports of one rank of the world."""

    number: int
    track: str = MAIN
    label: str = ""
    sent_bytes: int = 0

    def __post_init__(self) -> None:
        self.now: dict[str, float] = {MAIN: 0.0, BESIDE: 0.0}
        self.out_free = self.in_free = 0.0


class _Until:
    """Done at a time of the clock."""

    def __init__(self, own: _Rank, at: float) -> None:
        self.own, self.at = own, at

    def wait(self) -> None:
        self.own.now[self.own.track] = max(self.own.now[self.own.track], self.at)


class _Receipt:
    """A message that was asked for."""

    def __init__(self, receive: Callable[[], None]) -> None:
        self.receive: Callable[[], None] | None = receive

    def wait(self) -> None:
        if self.receive is not None:
            self.receive()
            self.receive = None


class InProcessCommunicator(Communicator):
    """A rank that is a thread."""

    def __init__(self, world: World, own: _Rank, ranks: tuple[int, ...]) -> None:
        self.world, self.own, self.ranks = world, own, ranks
        self.rank, self.size = ranks.index(own.number), len(ranks)

    @property
    def sent_bytes(self) -> int:
        return self.own.sent_bytes

    @property
    def now(self) -> float:
        """This rank's clock, on the track that it is on."""
        return self.own.now[self.own.track]

    def isend(self, tensor: Tensor, to: int) -> Work:
        own, size, to = self.own, tensor.numel() * tensor.element_size(), self._other(to)
        left_at = max(self.now, own.out_free)
        own.out_free = left_at + self.world.fabric.seconds(own.number, self.ranks[to], size)
        own.sent_bytes += size
        letter = Letter(tensor.detach().clone(), left_at, own.label)
        self.world.post((self.ranks, self.rank, to, own.track), letter)
        return _Until(own, own.out_free)

    def irecv(self, into: Tensor, source: int) -> Work:
        own, track = self.own, self.own.track
        box = (self.ranks, self._other(source), self.rank, track)
        number = self.world.ask(box)

        def receive() -> None:
            letter = self.world.take(own.number, box, number)
            _fits(into, letter.tensor)
            size, sender = into.numel() * into.element_size(), self.ranks[source]
            begun_at = max(letter.left_at, own.in_free)
            own.in_free = begun_at + self.world.fabric.seconds(sender, own.number, size)
            own.now[own.track] = max(own.now[own.track], own.in_free)
            into.detach().copy_(letter.tensor)
            self.world.log.add(Message(sender, own.number, size, letter.label, track, letter.left_at, own.in_free))

        return _Receipt(receive)

    def group(self, ranks: Sequence[int]) -> InProcessCommunicator:
        return InProcessCommunicator(self.world, self.own, tuple(self.ranks[rank] for rank in self._members(ranks)))

    def start(self, transfer: Callable[[], object]) -> Work:
        own = self.own
        if own.track == BESIDE:
            raise RuntimeError("A transfer that runs beside the computation cannot start another one.")
        own.track = BESIDE
        begun_at = own.now[BESIDE] = max(own.now[BESIDE], own.now[MAIN])
        try:
            transfer()
        finally:
            own.track = MAIN
        self.world.log.add(Span(own.number, own.label or "transfer", BESIDE, begun_at, own.now[BESIDE]))
        return _Until(own, own.now[BESIDE])

    def compute(self, seconds: float, name: str = "compute") -> None:
        own = self.own
        begun_at = self.now
        own.now[own.track] = begun_at + seconds
        self.world.log.add(Span(own.number, name, own.track, begun_at, self.now))

    @contextmanager
    def label(self, name: str) -> Iterator[None]:
        before, self.own.label = self.own.label, name
        try:
            yield
        finally:
            self.own.label = before


def _fits(into: Tensor, sent: Tensor) -> None:
    if into.shape != sent.shape or into.dtype != sent.dtype:
        raise ValueError(
            f"A message of {tuple(sent.shape)} {sent.dtype} came where {tuple(into.shape)} {into.dtype} was expected."
        )


def run_ranks(
    size: int, program: Callable[..., Any], *arguments: Any, fabric: Fabric | None = None
) -> tuple[list[Any], Log]:
    """Runs `program(communicator, *arguments)` on ranks 0 … size - 1; returns what each returned, and the log.

    Arguments are shared: ranks must not write to them. Raises what the first failing rank raised, DeadlockError where no rank
    can go on, and LostMessageError where a message was sent and never received.
    """
    world = World(size, fabric or Fabric())
    owns = [_Rank(number) for number in range(size)]
    results: list[Any] = [None] * size

    def run(own: _Rank) -> None:
        error: BaseException | None = None
        try:
            results[own.number] = program(InProcessCommunicator(world, own, tuple(range(size))), *arguments)
        except BaseException as raised:  # noqa: BLE001 - handed to the caller, whatever it is
            error = raised
        world.leave(own.number, error)

    threads = [threading.Thread(target=run, args=(own,), name=f"rank-{own.number}", daemon=True) for own in owns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.raise_what_failed()
    world.log.ended_at = [max(own.now.values()) for own in owns]
    return results, world.log
