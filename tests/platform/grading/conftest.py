"""A course whose published labs a test may break, and two workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import WorkerFactory


@pytest.fixture
def own_labs(tmp_path: Path, settings) -> Path:
    """Published labs of this test alone, so that it may break them."""
    settings.LABS_DIR = tmp_path / "labs"
    return tmp_path / "labs"


@pytest.fixture
def course(own_labs, world):
    """The world, without the other offering's use of the lab."""
    return world


@pytest.fixture
def worker(course):
    return WorkerFactory()


@pytest.fixture
def other(course):
    return WorkerFactory()
