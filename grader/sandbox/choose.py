"""From a sandbox's name to the sandbox. Nothing is chosen silently: a kind that this host cannot give is refused by name."""

from __future__ import annotations

from ..contract import SandboxKind
from .base import Sandbox
from .bubblewrap import BubblewrapSandbox
from .docker import DockerSandbox
from .trusted import TrustedSandbox


def open_sandbox(kind: SandboxKind, *, allow_approximate_limits: bool = False) -> Sandbox:
    """The sandbox of that kind; raises `SandboxUnavailable` when its walls cannot be built here."""
    if kind is SandboxKind.TRUSTED:
        return TrustedSandbox()
    if kind is SandboxKind.DOCKER:
        return DockerSandbox()
    return BubblewrapSandbox(allow_approximate_limits=allow_approximate_limits)
