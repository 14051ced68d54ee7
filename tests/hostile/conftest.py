"""A bench for each sandbox, made once in a session; the lab here is no test of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.contract import SandboxKind
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.cgroups import cgroups_available
from grader.sandbox.choose import open_sandbox
from tests.support import require

from .bench import Bench
from .host import Host, planted

collect_ignore = ["lab", "submissions"]


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """The judge's side, with bait."""
    with planted() as host:
        yield host


@pytest.fixture(scope="session")
def benches(host: Host) -> Iterator[dict[SandboxKind, Bench]]:
    """Made when a sandbox is first asked for."""
    made: dict[SandboxKind, Bench] = {}
    yield made
    assert [left for bench in made.values() for left in bench.close()] == []


@pytest.fixture
def bench(request, benches: dict[SandboxKind, Bench], host: Host) -> Bench:
    """The bench of the sandbox that the test is parametrized with."""
    kind = SandboxKind(request.param)
    try:
        open_sandbox(kind, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        require(kind.value, str(reason))
    if kind is SandboxKind.BUBBLEWRAP and not cgroups_available():
        pytest.skip("this user may make no control groups, and verdicts by limits need exact ones")
    for other in benches.keys() - {kind}:  # what waits in one would be taken for what the other left
        assert benches.pop(other).close() == []
    if kind not in benches:
        benches[kind] = Bench(kind, host)
    return benches[kind]
