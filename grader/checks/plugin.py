"""The pytest plugin of a lab's checks: markers, and the fixtures `student`, `reference`, `rng`, `expect`, `measure`.

The judge puts its own provider into `config.stash`; in plain pytest the provider of `local.py` runs the notebook in-process.
"""

from __future__ import annotations

import secrets
import zlib
from typing import Any, Protocol

import numpy as np
import pytest

from .expect import Expect
from .local import LocalProvider
from .marks import MARKERS, check_name
from .measure import Measure


class Student(Protocol):
    """Code under check, wherever it runs."""

    def call(self, function: str, /, **arguments: Any) -> Any:
        """Run `driver.function(program, **arguments)`; raises when the student's code does."""
        ...

    def processor_s(self) -> float | None:
        """Processor time that all of the program has used so far, by the kernel's account; None where there is none."""
        ...


class Provider(Protocol):
    """Where the fixtures get their students and their seed from."""

    @property
    def seed(self) -> int:
        """The attempt's seed."""
        ...

    def student(self, item: pytest.Item) -> Student:
        """The submission under check."""
        ...

    def reference(self, item: pytest.Item) -> Student:
        """The instructor's own solution, in a place of its own."""
        ...


PROVIDER: pytest.StashKey[Provider] = pytest.StashKey()
MEASURE: pytest.StashKey[Measure] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of plain pytest runs."""
    group = parser.getgroup("gradlab")
    group.addoption(
        "--submission", default="", help="the notebook or .py file to check; default: the lab's own notebook"
    )
    group.addoption("--check-seed", type=int, default=None, help="repeat the random inputs of an earlier run")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers and, unless a judge brought its own, the in-process provider."""
    for marker, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")
    if PROVIDER not in config.stash:
        chosen = config.getoption("--check-seed")
        config.stash[PROVIDER] = LocalProvider(
            submission=config.getoption("--submission"), seed=secrets.randbits(32) if chosen is None else chosen
        )


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed, so that a failure can be repeated."""
    return f"checks: inputs drawn with --check-seed {config.stash[PROVIDER].seed}"


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Student:
    """The submission under check: `student.call("function", name=value, …)`."""
    return request.config.stash[PROVIDER].student(request.node)


@pytest.fixture
def reference(request: pytest.FixtureRequest) -> Student:
    """The instructor's solution in a sandbox of its own, for interleaved measurements."""
    return request.config.stash[PROVIDER].reference(request.node)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random inputs that differ by check and by attempt and repeat with the attempt's seed."""
    return np.random.default_rng([request.config.stash[PROVIDER].seed, zlib.crc32(check_name(request.node).encode())])


@pytest.fixture
def expect() -> Expect:
    """Comparisons that tell the student what was expected and what came."""
    return Expect()


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Measure:
    """Records a measured quantity and its points curve."""
    recorded = request.node.stash[MEASURE] = Measure()
    return recorded
