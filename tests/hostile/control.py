"""A judge in a process of its own that never meets a hostile submission: it tells how long the reference solution takes just now.

Other work makes a whole machine slower; what a submission did to its worker makes that worker slower than this one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

from grader.api import close_sandboxes, grade
from grader.contract import GradeReport, JobSpec, SandboxKind, SubmittedFile

ROOT = Path(__file__).resolve().parents[2]


def grade_file(lab: Path, name: str, path: Path, kind: SandboxKind) -> GradeReport:
    """Grade stored bytes with a seed of their own, as a worker does."""
    file = SubmittedFile(name, str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    spec = JobSpec("hostile", str(lab), (file,), secrets.randbits(32), sandbox=kind, allow_approximate_limits=True)
    return grade(spec)


class Control:
    """The other judge; it starts when it is first asked."""

    def __init__(self, lab: Path, kind: SandboxKind) -> None:
        command = [sys.executable, "-m", "tests.hostile.control", str(lab), kind.value]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self.seconds()  # the first one warms up

    def seconds(self) -> float:
        """Grade the reference solution now."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """Let it end and tidy up after itself."""
        self._process.communicate(timeout=60)


def main() -> None:
    """Grade once for each line of input, and say how long it took."""
    lab, kind = Path(sys.argv[1]), SandboxKind(sys.argv[2])
    for _ in sys.stdin:
        started = time.monotonic()
        grade_file(lab, "notebook.ipynb", lab / "notebook.ipynb", kind)
        sys.stdout.write(f"{time.monotonic() - started}\n")
        sys.stdout.flush()
    close_sandboxes()


if __name__ == "__main__":
    main()
