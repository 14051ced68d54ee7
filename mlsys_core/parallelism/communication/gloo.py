"""Ranks as real processes over torch.distributed's gloo, on one machine: the proof that nothing depends on shared memory.

Idea      Processes are forked from a small server that has imported torch once, meet through a file, and use the backend's
          point-to-point messages; what is built on the communicator is the same code as on ranks in one process.
Equation  Time is the machine's and not a model's; see `in_process` for the other.
Paper     S. Li et al., "PyTorch distributed: experiences on accelerating data parallel training", VLDB 2020.
Cost      About 0.1 s to start a rank after the first; some 50 µs a message.
"""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mlsys_core.parallelism.communication.communicator import Communicator, Work

GRACE_S = 0.1  # after a failure, for the one that caused it to be heard
# torch's optimizers import torch._dynamo when the first is made, which takes each rank a second
PRELOADED = ["torch", "torch.distributed", "torch._dynamo", "mlsys_core.parallelism.communication.gloo"]


class _Process:
    """What the communicators of one process share."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.counting = threading.Lock()
        self.beside = threading.local()  # .on while the thread runs a transfer beside the computation
        self.thread = ThreadPoolExecutor(max_workers=1)


class _Done:
    def wait(self) -> None:
        pass


class _Sending:
    def __init__(self, work: Any, tensor: Tensor) -> None:
        self.work, self.tensor = work, tensor  # the copy lives until it has left

    def wait(self) -> None:
        self.work.wait()


class _Receiving:
    def __init__(self, work: Any, buffer: Tensor, into: Tensor) -> None:
        self.work, self.buffer, self.into = work, buffer, into

    def wait(self) -> None:
        self.work.wait()
        if self.buffer is not self.into:
            self.into.detach().copy_(self.buffer)


class _Beside:
    def __init__(self, future: Future[object]) -> None:
        self.future = future

    def wait(self) -> None:
        self.future.result()


class GlooCommunicator(Communicator):
    """A rank that is a process."""

    def __init__(self, process: _Process, ranks: tuple[int, ...]) -> None:
        self.process, self.ranks = process, ranks
        self.rank, self.size = ranks.index(dist.get_rank()), len(ranks)
        # messages of different groups between the same two ranks never meet
        self._tag = (zlib.crc32(repr(ranks).encode()) & 0x3FFFFFFF) << 1

    @property
    def sent_bytes(self) -> int:
        return self.process.sent_bytes

    @property
    def tag(self) -> int:
        """Of this group's messages, on the track that this thread is on."""
        return self._tag + bool(getattr(self.process.beside, "on", False))

    def isend(self, tensor: Tensor, to: int) -> Work:
        to = self._other(to)
        with self.process.counting:
            self.process.sent_bytes += tensor.numel() * tensor.element_size()
        if not tensor.numel():
            return _Done()
        copy = tensor.detach().clone(memory_format=torch.contiguous_format)
        return _Sending(dist.isend(copy, self.ranks[to], tag=self.tag), copy)

    def irecv(self, into: Tensor, source: int) -> Work:
        source = self._other(source)
        if not into.numel():
            return _Done()
        buffer = into if into.is_contiguous() and not into.requires_grad else torch.empty_like(into).contiguous()
        return _Receiving(dist.irecv(buffer, self.ranks[source], tag=self.tag), buffer, into)

    def group(self, ranks: Sequence[int]) -> GlooCommunicator:
        return GlooCommunicator(self.process, tuple(self.ranks[rank] for rank in self._members(ranks)))

    def start(self, transfer: Callable[[], object]) -> Work:
        if getattr(self.process.beside, "on", False):
            raise RuntimeError("A transfer that runs beside the computation cannot start another one.")
        recording = torch.is_grad_enabled()  # threads do not inherit it

        def run() -> object:
            self.process.beside.on = True
            with torch.set_grad_enabled(recording):
                return transfer()

        return _Beside(self.process.thread.submit(run))


def run_processes(size: int, program: Callable[..., Any], *arguments: Any, timeout_s: float = 120.0) -> list[Any]:
    """Runs `program(communicator, *arguments)` in `size` processes of this machine; returns what each returned.

    Program, arguments and results are pickled, so the program is a function of a module. Raises RuntimeError with the traceback
    of the rank that failed first, and TimeoutError where they do not end in time; no process is left behind.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")
        task = pickle.dumps((program, arguments))
        pipes = [context.Pipe(duplex=False) for _ in range(size)]
        processes = [
            context.Process(target=_serve, args=(_Seat(rank, size, store, timeout_s), pipes[rank][1], task))
            for rank in range(size)
        ]
        try:
            for process in processes:
                process.start()
            for _, writer in pipes:
                writer.close()
            return _collect([reader for reader, _ in pipes], timeout_s)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()
                    process.join()
            for reader, _ in pipes:
                reader.close()


def _collect(readers: list[Connection], timeout_s: float) -> list[Any]:
    """What every rank returned. Where one fails, others soon fail for want of it: the first in time is the one to tell."""
    answers: dict[int, _Answer] = {}
    ends_at = time.monotonic() + timeout_s
    failed: list[_Answer] = []
    while len(answers) < len(readers):
        waited = [reader for rank, reader in enumerate(readers) if rank not in answers]
        # a process that vanishes closes its links to others before its pipe, so theirs may be the first word of it
        ready = wait(waited, GRACE_S if failed else ends_at - time.monotonic())
        if not ready and not failed:
            raise TimeoutError(f"{len(waited)} of {len(readers)} ranks did not end in {timeout_s:g} s.")
        if not ready:
            break
        answers |= {rank: _answer(rank, reader) for rank, reader in enumerate(readers) if reader in ready}
        failed = [answer for answer in answers.values() if not answer.fine]
    if failed:
        raise RuntimeError(min(failed, key=lambda answer: answer.at).value)
    return [pickle.loads(answers[rank].value) for rank in range(len(readers))]  # noqa: S301 - our own processes


@dataclass(frozen=True)
class _Answer:
    """The end of a rank: its pickled result, or what went wrong; and when, by the clock that processes share."""

    fine: bool
    value: Any
    at: float


def _answer(rank: int, reader: Connection) -> _Answer:
    try:
        answer: _Answer = pickle.loads(reader.recv_bytes())  # noqa: S301 - our own processes
    except (EOFError, ConnectionResetError):
        # nothing else ends a process without a word, so what others report came after it
        return _Answer(fine=False, value=f"Rank {rank} ended without an answer.", at=0.0)
    return answer


@dataclass(frozen=True)
class _Seat:
    """Where a process sits: its rank among `size`, and the file by which they meet."""

    rank: int
    size: int
    store: str
    timeout_s: float


def _serve(seat: _Seat, writer: Connection, task: bytes) -> None:
    torch.set_num_threads(1)
    try:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{seat.store}",
            rank=seat.rank,
            world_size=seat.size,
            timeout=timedelta(seconds=2 * seat.timeout_s),  # the caller gives up first, and says so
        )
        program, arguments = pickle.loads(task)  # noqa: S301 - our own caller
        process = _Process()
        result = program(GlooCommunicator(process, tuple(range(seat.size))), *arguments)
        process.thread.shutdown()
        # plain pickle: multiprocessing's own would hand over tensors by files that vanish when this process ends
        answer = _Answer(fine=True, value=pickle.dumps(result), at=time.monotonic())
        dist.barrier()
    except BaseException:  # noqa: BLE001 - told to the caller, whatever it is
        answer = _Answer(fine=False, value=f"Rank {seat.rank} failed:\n{traceback.format_exc()}", at=time.monotonic())
    writer.send_bytes(pickle.dumps(answer))
    writer.close()
    if dist.is_initialized():
        dist.destroy_process_group()
