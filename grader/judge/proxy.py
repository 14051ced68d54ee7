"""The `student` fixture's other end: opens a sandbox for each task's checks, loads the program, passes calls, and reopens after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ..banned import sentence, watched
from ..checks.marks import read_marks
from ..contract import Verdict
from ..inside.cells import Cell
from ..lab import BannedOperations, Device, Lab
from ..sandbox.base import Limits, Sandbox, Usage, Walled
from .channel import Channel, StudentFault
from .gpu import prove_gpu
from .scoring import ReferenceFault


class SandboxedProgram:
    """One program in one sandbox at a time."""

    def __init__(
        self,
        lab: Lab,
        cells: Sequence[Cell],
        sandbox: Sandbox,
        should_stop: Callable[[], bool],
        rules: Sequence[BannedOperations] = (),
    ) -> None:
        self._lab, self._cells, self._sandbox, self._should_stop = lab, cells, sandbox, should_stop
        self._rules = rules
        self._limits: Limits = lab.limits
        self._walled: Walled | None = None
        self._channel: Channel | None = None
        self._load_fault: StudentFault | None = None
        self._wall_s, self._spent_s = self._limits.wall_s, 0.0
        self.task = ""
        self.on_gpu = lab.settings.device is Device.GPU  # where the next sandbox is opened
        self.notes: list[str] = []

    def begin(self, task: str, wall_s: float) -> None:
        """A check of this task begins: all of its calls together may take `wall_s`, however many they are."""
        self.task, self._wall_s, self._spent_s = task, wall_s, 0.0

    def call(self, function: str, /, **arguments: Any) -> Any:
        """`driver.function(program, **arguments)` inside; raises `StudentFault`."""
        if self._load_fault is not None:
            raise self._load_fault  # cells that cannot be loaded once are not waited for again
        channel, started = self._ready(), time.monotonic()
        request = {"op": "call", "function": function, "arguments": arguments}
        try:
            return channel.ask(request, self._wall_s, self._spent_s)
        except StudentFault as fault:
            if self.on_gpu and fault.verdict is Verdict.TIME_LIMIT:
                self.close()
                prove_gpu(self._sandbox, self._limits, self._lab.settings.packages)
            raise
        finally:
            self._spent_s += time.monotonic() - started
            self._refuse_banned(channel)

    def _refuse_banned(self, channel: Channel) -> None:
        """An answer that a banned operation gave is none, whatever it is worth."""
        told = sentence(self._rules, self.task, channel.seen)
        if told:
            raise StudentFault(Verdict.REJECTED, told)

    def processor_s(self) -> float | None:
        """Processor time of everything in the sandbox; None where the kernel keeps no account of it as a whole."""
        self._ready()
        used = self._walled.usage() if self._walled else Usage()
        return used.cpu_s if used.exact else None

    def take_output(self) -> str:
        """What the program printed since the last call."""
        return self._channel.take_output() if self._channel else ""

    def move(self, *, on_gpu: bool) -> None:
        """End the sandbox; the next one is opened with a GPU, or without. Cells that cannot be loaded in one may be in the other."""
        self.close()
        if on_gpu != self.on_gpu:
            self.on_gpu, self._load_fault = on_gpu, None

    def close(self) -> None:
        """End the sandbox; the next call opens a fresh one."""
        if self._walled is not None:
            self._walled.close()
        self._walled = self._channel = None

    def _ready(self) -> Channel:
        if self._channel is not None and not self._channel.alive:
            self.close()
        if self._channel is None:
            self._channel = self._open()
        return self._channel

    def _open(self) -> Channel:
        self._walled = self._sandbox.open(self._limits, self._lab.settings.packages, gpu=self.on_gpu)
        channel = Channel(self._walled, self._limits, self._should_stop)
        cells = [[cell.label, cell.source, cell.given] for cell in self._cells]
        ours = {"library": self._lab.library, "driver": self._lab.driver}
        request = {"op": "load", **ours, "cells": cells, "watched": watched(self._rules)}
        try:
            notes = channel.ask(request, self._limits.load_s)
            self.notes = [str(note)[:400] for note in notes][:20] if isinstance(notes, list) else []
        except StudentFault as fault:
            self._load_fault = StudentFault(fault.verdict, f"While your cells ran, before any check: {fault}")
            raise self._load_fault from fault
        return channel


class ReferenceProgram(SandboxedProgram):
    """The instructor's own solution: where it fails, the fault is ours."""

    def call(self, function: str, /, **arguments: Any) -> Any:
        """As of any program; raises `ReferenceFault` where that of a student would be charged to the student."""
        try:
            return super().call(function, **arguments)
        except StudentFault as fault:
            raise ReferenceFault(f"the reference solution failed: {fault}") from fault


class JudgeProvider:
    """Gives checks their students: the submission, and the instructor's notebook for interleaved measurements."""

    def __init__(
        self,
        lab: Lab,
        submission: SandboxedProgram,
        reference: ReferenceProgram,
        seed: int,
        place: tuple[str, bool] = ("", False),
    ) -> None:
        """`place`: the task whose sandboxes are open, and whether they have the GPU."""
        self.seed = seed
        self._lab, self._submission, self._reference = lab, submission, reference
        self._place = place

    def standing_in(self) -> JudgeProvider:
        """The same with the reference in the submission's place: whether a check that broke is at fault itself."""
        return JudgeProvider(self._lab, self._reference, self._reference, self.seed, self._place)

    def alone(self) -> JudgeProvider | None:
        """As `standing_in`, on a GPU that nobody else holds; None where no card is shared."""
        if not self._reference.on_gpu:
            return None
        self._submission.close()
        self._reference.close()
        return self.standing_in()

    def student(self, item: pytest.Item) -> SandboxedProgram:
        """The submission, in a sandbox of this task's own; of a lab for any device, with a GPU only for checks that need one."""
        return self._prepared(self._submission, item)

    def reference(self, item: pytest.Item) -> SandboxedProgram:
        """The instructor's solution, in another."""
        return self._prepared(self._reference, item)

    def _prepared(self, program: SandboxedProgram, item: pytest.Item) -> SandboxedProgram:
        marks = read_marks(item)
        place = (marks.task, marks.gpu or self._lab.settings.device is Device.GPU)
        if place != self._place:
            for each in (self._submission, self._reference):
                each.move(on_gpu=place[1])
            self._place = place
        program.begin(marks.task, marks.limits.get("wall_s", self._lab.settings.limits.wall_s))
        return program
