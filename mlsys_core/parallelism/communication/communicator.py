"""What a rank can do: send, receive, form a smaller group, and let a transfer run beside its computation.

Idea      Collectives, layers and schedules need nothing but point-to-point messages. What is written against this interface
          runs unchanged on ranks in one process, where every message is logged and timed by a model, and on real processes.
Equation  A message of n bytes takes α + β n.
Paper     R. W. Hockney, "The communication challenge for MPP", Parallel Computing 20(3), 1994 (α, β); Message Passing
          Interface Forum, "MPI: a message-passing interface standard", 1994 (groups, point-to-point).
Cost      Given by each algorithm that is built on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from torch import Tensor


class Work(Protocol):
    """Something under way."""

    def wait(self) -> None:
        """Returns once it is done."""


class Communicator(ABC):
    """One rank's view of a group of `size` ranks. Every rank runs the same program with its own communicator.

    rank         this rank's number in the group, 0 … size - 1
    sent_bytes   what this rank has sent so far, in this group and in those made from it
    """

    rank: int
    size: int

    @property
    @abstractmethod
    def sent_bytes(self) -> int:
        """Bytes that this rank has sent so far, by whichever group."""

    @abstractmethod
    def isend(self, tensor: Tensor, to: int) -> Work:
        """Starts to send to another rank `to` of the group; the tensor may be changed at once."""

    @abstractmethod
    def irecv(self, into: Tensor, source: int) -> Work:
        """Starts to receive from another rank `source` into a tensor of the sender's shape and dtype; filled when waited for.

        The first receive gets the first message of that sender in this group, in whichever order they are waited for.
        """

    @abstractmethod
    def group(self, ranks: Sequence[int]) -> Communicator:
        """The communicator of a part of this group, which its members call with the same ranks (numbers of this group), in the
        new order. It costs no message. Raises ValueError for a rank that is not among them."""

    @abstractmethod
    def start(self, transfer: Callable[[], object]) -> Work:
        """Runs a function that communicates beside the computation that follows, until it is waited for.

        Every rank starts the same transfers in the same order; two of them never overlap each other. A transfer must not need
        a message that its partner sends only after it has started the transfer too: ranks in one process run it at once.
        """

    def compute(self, seconds: float, name: str = "compute") -> None:  # noqa: B027 - real processes have nothing to do
        """Tells the model's clock that this rank computes for so long. Real processes need no telling."""

    @contextmanager
    def label(self, name: str) -> Iterator[None]:  # noqa: ARG002 - the log of ranks in one process has it
        """Names the messages of the block in the log."""
        yield

    def _other(self, rank: int) -> int:
        """A rank that messages can go to or come from; raises ValueError for any other number."""
        if not 0 <= rank < self.size or rank == self.rank:
            raise ValueError(f"Rank {self.rank} of {self.size} has no other rank {rank} to exchange messages with.")
        return rank

    def _members(self, ranks: Sequence[int]) -> tuple[int, ...]:
        """The ranks of a smaller group, checked."""
        if self.rank not in ranks:
            raise ValueError(f"Rank {self.rank} asked for the group {tuple(ranks)}, which it is not a member of.")
        if len(set(ranks)) < len(ranks) or not set(ranks) <= set(range(self.size)):
            raise ValueError(
                f"The group {tuple(ranks)} is not made of different ranks of the {self.size} that there are."
            )
        return tuple(ranks)

    def send(self, tensor: Tensor, to: int) -> None:
        """Sends and waits."""
        self.isend(tensor, to).wait()

    def recv(self, into: Tensor, source: int) -> Tensor:
        """Receives into a tensor and returns it."""
        self.irecv(into, source).wait()
        return into

    def sendrecv(self, tensor: Tensor, to: int, into: Tensor, source: int) -> Tensor:
        """Sends and receives at once, as a ring does; returns `into`. The two tensors must not overlap."""
        sending, receiving = self.isend(tensor, to), self.irecv(into, source)
        receiving.wait()
        sending.wait()
        return into
