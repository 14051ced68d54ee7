"""Shared by the grader's tests: a tiny lab, and a way to grade a piece of source in it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.api import grade
from grader.contract import GradeReport, JobSpec, SandboxKind, SubmittedFile, Suite
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.choose import open_sandbox
from tests.support import require

TINY = Path(__file__).parent / "tiny_lab"
Grade = Callable[..., GradeReport]


@pytest.fixture
def tiny() -> Path:
    """A lab of two tasks and ten points."""
    return TINY


@pytest.fixture(params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def walls(request) -> SandboxKind:
    """Each real sandbox in turn."""
    kind = SandboxKind(request.param)
    try:
        open_sandbox(kind, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        require(request.param, str(reason))
    return kind


@pytest.fixture
def grade_source(tmp_path: Path, tiny: Path) -> Grade:
    """Grade a .py source (or ready-made bytes under a name) in the tiny lab."""

    def run(
        source: str | bytes,
        name: str = "work.py",
        sandbox: SandboxKind = SandboxKind.TRUSTED,
        suite: Suite = Suite.FULL,
        seed: int = 1,
        **options,
    ) -> GradeReport:
        data = source.encode() if isinstance(source, str) else source
        path = tmp_path / "stored"
        path.write_bytes(data)
        file = SubmittedFile(name, str(path), hashlib.sha256(data).hexdigest())
        spec = JobSpec("test", str(tiny), (file,), seed, suite, sandbox, allow_approximate_limits=True)
        return grade(spec, **options)

    return run


@pytest.fixture
def lab_copy(tmp_path: Path, tiny: Path) -> Path:
    """A copy of the tiny lab that a test may change."""
    return Path(shutil.copytree(tiny, tmp_path / "lab"))
