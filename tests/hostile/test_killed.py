"""A judge that is killed in the middle of a run takes the run with it: nobody else would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from grader.contract import SandboxKind
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.choose import open_sandbox
from tests.support import require

from .control import ROOT
from .host import planted
from .leftovers import RUN_UIDS

JUDGE = """
import sys
from pathlib import Path
from grader.contract import SandboxKind
from tests.hostile.control import grade_file
grade_file(Path(sys.argv[1]), "work.py", Path(sys.argv[2]), SandboxKind.BUBBLEWRAP)
"""
SLEEPER = "import os, time\nos.setsid() if os.fork() == 0 else None\ntime.sleep(600)\n"
PATIENCE_S = 3.0


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="only where the judge is root has a run a uid of its own to be known by")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_judge_takes_its_run_with_it(tmp_path: Path, number):
    try:
        open_sandbox(SandboxKind.BUBBLEWRAP, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        require("bubblewrap", str(reason))
    work = tmp_path / "work.py"
    work.write_text(SLEEPER)
    with planted() as host:
        arguments = [sys.executable, "-c", JUDGE, str(host.lab), str(work)]
        judge = subprocess.Popen(arguments, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
        started = _wait_for(lambda: len(_of_runs(judge.pid)) >= 2, 20.0)
        family = psutil.Process(judge.pid).children(recursive=True)
        judge.send_signal(number)
        judge.wait()
        gone = _wait_for(lambda: not _alive(family), PATIENCE_S)
        left = _alive(family)
        for process in left:
            process.kill()
    assert started, "the run was not seen"
    assert gone, f"alive {PATIENCE_S:g} s after the judge: {left}"


def _of_runs(judge: int) -> list[psutil.Process]:
    """The student's processes: those of the judge's descendants with a uid of a run's own."""
    return [p for p in psutil.Process(judge).children(recursive=True) if p.uids().real in RUN_UIDS]


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def _wait_for(condition, patience_s: float) -> bool:
    until = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
