"""The executor of the pattern behind the walls of the grader: what a writer wrote runs there, and cannot harm."""

from __future__ import annotations

import pytest

from grader.contract import SandboxKind
from grader.judge.channel import Channel, StudentFault
from grader.sandbox.base import Limits, SandboxUnavailable
from grader.sandbox.choose import open_sandbox
from mlsys_core.retrieval.agents.coding import Execution, write_and_execute
from tests.support import require

pytestmark = pytest.mark.sandbox
LIMITS = Limits(wall_s=5.0, load_s=1.5, cpu_s=5.0, memory_mb=256, processes=8, disk_mb=4, output_kb=16)


@pytest.fixture(scope="module")
def sandbox():
    try:
        return open_sandbox(SandboxKind.BUBBLEWRAP, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        require("bubblewrap", str(reason))


@pytest.fixture
def execute(sandbox):
    """Runs a program in a sandbox of its own."""

    def run(code):
        walled = sandbox.open(LIMITS, ("numpy",))
        try:
            channel = Channel(walled, LIMITS, lambda: False)
            load = {"op": "load", "library": {}, "driver": "", "cells": [["program", code, False]], "watched": []}
            try:
                faults = channel.ask(load, LIMITS.load_s)
            except StudentFault as fault:
                faults = [str(fault)]
            return Execution(ok=not faults, output="\n".join([channel.take_output(), *faults]))
        finally:
            walled.close()

    return run


def test_a_program_is_written_run_and_mended_behind_walls(execute):
    def writer(messages):
        if "NameError" in messages[-1].text:
            return "```python\nimport numpy as np\nprint(np.arange(5).sum())\n```"
        return "```python\nprint(np.arange(5).sum())\n```"

    chat = write_and_execute("Add 0 to 4 with numpy.", writer, execute)
    assert chat.finished
    assert len(chat.messages) == 5
    assert chat.last == "It ran and printed:\n10"


def test_a_program_that_reaches_for_the_host_or_never_ends_is_stopped_and_told(execute, tmp_path):
    target = tmp_path / "written"
    tries = {
        f"open({str(target)!r}, 'w').write('x')": "Error",
        "import socket; socket.create_connection(('198.51.100.1', 80), timeout=1)": "Error",
        "while True: pass": "1.5 s",
    }
    for code, told in tries.items():
        done = execute(code)
        assert not done.ok
        assert told in done.output
    assert not target.exists()
