"""Proves each wall of a sandbox by trying to get through it: `python -m grader selftest`. A worker runs it before its first job."""

from __future__ import annotations

from collections.abc import Iterator

from ..sandbox.base import Sandbox
from .trials import Finding, planted, probe, walls

__all__ = ["Finding", "selftest"]


def selftest(sandbox: Sandbox) -> Iterator[Finding]:
    """What came of each wall in turn; raises `SandboxUnavailable` where the sandbox cannot be built at all."""
    with planted() as host:
        for wall in walls(host):
            yield probe(wall, sandbox)
