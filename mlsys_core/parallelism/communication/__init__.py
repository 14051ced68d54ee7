"""Ranks that send each other tensors: an interface, ranks in one process with a log of every message, and real processes over gloo."""

from __future__ import annotations

from mlsys_core.parallelism.communication.communicator import Communicator, Work
from mlsys_core.parallelism.communication.gloo import run_processes
from mlsys_core.parallelism.communication.in_process import run_ranks
from mlsys_core.parallelism.communication.log import Fabric, Log, Message, Span
from mlsys_core.parallelism.communication.world import DeadlockError, LostMessageError

__all__ = [
    "Communicator",
    "DeadlockError",
    "Fabric",
    "Log",
    "LostMessageError",
    "Message",
    "Span",
    "Work",
    "run_processes",
    "run_ranks",
]
