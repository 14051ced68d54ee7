"""What ranks in one process share: mailboxes, the log, and the knowledge of who waits for whom.

Idea      A receive is given the number of the message that it will get when it is asked for, so that threads may run in any
          order. Who waits says so; when all who have not ended wait for messages that were not sent, nobody ever will.
Equation  deadlock  ⇔  every rank that has not ended waits for a message that was not sent.
Paper     K. M. Chandy, J. Misra, L. M. Haas, "Distributed deadlock detection", ACM TOCS 1(2), 1983.
Cost      A look at every waiting rank when one begins to wait or ends.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field

from torch import Tensor

from mlsys_core.parallelism.communication.log import Fabric, Log

Box = tuple[tuple[int, ...], int, int, str]  # group, source, to, track


class DeadlockError(RuntimeError):
    """Every rank waits for a message that nobody will send."""


class LostMessageError(RuntimeError):
    """A message was sent that nobody received."""


class StoppedError(RuntimeError):
    """Another rank failed, and this one was told to stop."""


@dataclass
class Letter:
    """A copy of a tensor on its way, with when it left its sender."""

    tensor: Tensor
    left_at: float
    label: str


@dataclass
class Mailbox:
    """Letters from one rank to another in one group and track, by number, until they are taken."""

    posted: int = 0
    asked: int = 0  # the receiver alone counts them, so the first receive gets the first letter
    letters: dict[int, Letter] = field(default_factory=dict)


class World:
    """What the ranks of a run share: mailboxes, ports, clocks and the log."""

    def __init__(self, size: int, fabric: Fabric) -> None:
        self.size, self.fabric, self.log = size, fabric, Log()
        self.lock = threading.Lock()
        self.woken = [
            threading.Condition(self.lock) for _ in range(size)
        ]  # one a rank: a message wakes its receiver alone
        self.boxes: defaultdict[Box, Mailbox] = defaultdict(Mailbox)
        self.waiting: dict[int, tuple[Box, int]] = {}
        self.ended: set[int] = set()
        self.failed: BaseException | None = None

    def post(self, box: Box, letter: Letter) -> None:
        """Puts a letter into a mailbox."""
        with self.lock:
            mailbox = self.boxes[box]
            mailbox.letters[mailbox.posted] = letter
            mailbox.posted += 1
            self.woken[box[0][box[2]]].notify()

    def ask(self, box: Box) -> int:
        """The number of the letter that this receive will get."""
        with self.lock:
            self.boxes[box].asked += 1
            return self.boxes[box].asked - 1

    def take(self, rank: int, box: Box, number: int) -> Letter:
        """Waits for a letter of a mailbox; raises where it cannot come any more."""
        with self.lock:
            self.waiting[rank] = (box, number)
            self._look_for_deadlock()
            while number not in self.boxes[box].letters:
                if self.failed is not None:
                    raise StoppedError(f"Rank {rank} stopped because another rank failed.")
                self.woken[rank].wait()
            del self.waiting[rank]
            return self.boxes[box].letters.pop(number)

    def leave(self, rank: int, error: BaseException | None) -> None:
        """A rank ended; what others wait for from it will not come."""
        with self.lock:
            self.ended.add(rank)
            if error is not None and self.failed is None:
                self.failed = error
                self._wake_all()
            self._look_for_deadlock()

    def raise_what_failed(self) -> None:
        """After the end: raises what stopped the run, or says which message nobody received."""
        if self.failed is not None:
            raise self.failed
        for (ranks, source, to, _), mailbox in sorted(self.boxes.items()):
            for letter in mailbox.letters.values():
                raise LostMessageError(
                    f"Rank {ranks[source]} sent {tuple(letter.tensor.shape)} {letter.tensor.dtype} to rank {ranks[to]}, "
                    "which ended without receiving it: a send has no receive."
                )

    def _look_for_deadlock(self) -> None:
        """Called with the lock held. Nobody goes on where everyone who has not ended waits for a letter that is not there."""
        stuck = {
            rank: box[0][box[1]]
            for rank, (box, number) in self.waiting.items()
            if number not in self.boxes[box].letters
        }
        if self.failed is None and stuck and len(stuck) + len(self.ended) == self.size:
            waits = (
                f"rank {rank} for rank {of}{', which has ended' * (of in self.ended)}" for rank, of in stuck.items()
            )
            self.failed = DeadlockError(f"No rank can go on: {'; '.join(sorted(waits))}.")
            self._wake_all()

    def _wake_all(self) -> None:
        for condition in self.woken:
            condition.notify()
