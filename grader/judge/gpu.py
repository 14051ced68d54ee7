"""One run a GPU at a time, and a proof after each hang that the GPU still answers."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..sandbox.base import Limits, Sandbox, SandboxUnavailable
from .channel import Channel, StudentFault

PROBE = """
import torch


def alive(program):
    x = torch.arange(1024, device="cuda", dtype=torch.float32)
    return float((x + 1).sum().item())
"""
ANSWER = 1024 * 1025 / 2
PROBE_S = 30.0


def prove_gpu(sandbox: Sandbox, limits: Limits, packages: tuple[str, ...]) -> None:
    """Run a tiny kernel in a fresh process; raises `SandboxUnavailable` when the GPU does not answer in time, or wrongly.

    An endless kernel is ended with its process; what it may leave is a card that no process can use, and that is our fault and
    nobody's score.
    """
    bounds = replace(limits, wall_s=PROBE_S, load_s=PROBE_S)
    walled = sandbox.open(bounds, packages, gpu=True)
    try:
        channel = Channel(walled, bounds, lambda: False)
        channel.ask({"op": "load", "driver": PROBE, "cells": [], "watched": []}, PROBE_S)
        answer = channel.ask({"op": "call", "function": "alive", "arguments": {}}, PROBE_S)
    except StudentFault as fault:
        raise SandboxUnavailable(f"the GPU does not answer after a run was stopped: {fault}") from fault
    finally:
        walled.close()
    if answer != ANSWER:
        raise SandboxUnavailable(f"the GPU computes {answer} where {ANSWER} is right")


@contextmanager
def one_run_at_a_time(*, on_gpu: bool) -> Iterator[None]:
    """Hold the card that GRADLAB_GPU names, across all workers of this host: no limit but this one divides a GPU's memory and time."""
    if not on_gpu:
        yield
        return
    lock = Path(tempfile.gettempdir(), f"gradlab-gpu-{os.environ.get('GRADLAB_GPU', '0')}.lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
