"""Small things that several test folders need."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import nbformat
import pytest

ADD = "def add(a, b):\n    return a + b\n"
SCALE = "def scale(a, factor):\n    return a * factor\n"


def require(feature: str, reason: str) -> None:
    """Skip with the reason, or fail where the caller demands the feature by REQUIRE=…"""
    if feature in os.environ.get("REQUIRE", "").split(","):
        pytest.fail(f"REQUIRE asks for {feature}, but {reason}")
    pytest.skip(reason, allow_module_level=True)


def notebook_of(*sources: str, **metadata) -> bytes:
    """A notebook of plain code cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata)).encode()


def plain_environment() -> dict[str, str]:
    """The environment of a machine that has pytest and none of our development plugins."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO", "COV"))}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def leftover_groups(owners: Collection[int] = ()) -> list[str]:
    """Control groups that these processes, or this one, made and did not remove."""
    mount = Path("/sys/fs/cgroup")
    parents = [mount / base for base in ("pids/gradlab", "memory/gradlab", "cpuacct/gradlab", "gradlab")]
    return [str(path) for owner in owners or [os.getpid()] for at in parents for path in at.glob(f"run-{owner}-*")]
