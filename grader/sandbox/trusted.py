"""No walls: the instructor's own code in a plain subprocess. Never chosen unless it is asked for by name."""

from __future__ import annotations

import json
import sys

import numpy as np

from .base import INSIDE, Limits, PipedProcess, Usage, boot_arguments, environment

# No wall hides the machine's cards, and whoever was opened without one is to find none: code that asks would measure interpreted kernels.
NO_CARD = {"CUDA_VISIBLE_DEVICES": ""}


class TrustedProcess(PipedProcess):
    """A plain child process."""

    def usage(self) -> Usage:
        """Nothing is measured where nothing is limited."""
        return Usage()


class TrustedSandbox:
    """Runs code with this user's rights. For reference solutions and mutants only."""

    name = "trusted (no walls)"

    def remove_leftovers(self) -> int:
        """Nothing is ever left: a child ends with its pipes."""
        return 0

    def open(self, limits: Limits, packages: tuple[str, ...], *, gpu: bool = False) -> TrustedProcess:  # noqa: ARG002
        """Start the process; only the judge's clock limits it."""
        numpy_home = str(next(iter(np.__path__))).rsplit("/", 1)[0]
        walls = json.dumps({"uid": None, "rlimits": {"CORE": 0}, "seccomp": "", "gpu": gpu})
        command = boot_arguments(sys.executable, "main", [str(INSIDE.parent), numpy_home], walls)
        return TrustedProcess(command, environment(gpu=gpu) | ({} if gpu else NO_CARD))
