"""No walls: the instructor's own code in a plain subprocess. Never chosen unless it is asked for by name."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from .base import ENVIRONMENT, INSIDE, Limits, Usage, boot_arguments


class TrustedProcess:
    """A plain child process."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, bufsize=0
        )

    def usage(self) -> Usage:
        """Nothing is measured where nothing is limited."""
        return Usage()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class TrustedSandbox:
    """Runs code with this user's rights. For reference solutions and mutants only."""

    name = "trusted (no walls)"

    def open(self, limits: Limits, packages: tuple[str, ...]) -> TrustedProcess:  # noqa: ARG002 - the interface's
        """Start the process; only the judge's clock limits it."""
        numpy_home = str(next(iter(np.__path__))).rsplit("/", 1)[0]
        walls = json.dumps({"uid": None, "rlimits": {"CORE": 0}})
        return TrustedProcess(boot_arguments(sys.executable, [str(INSIDE.parent), numpy_home], walls))
