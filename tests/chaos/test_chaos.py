"""Whatever dies, at whichever moment: each accepted submission has one report with its points, and nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import require

from .bench import Bench
from .cases import Case, chosen

AWAY_S = 10.0  # of a database; the table waits for 30 s
SITES = (("sqlite", "bubblewrap"), ("postgresql", "bubblewrap"), ("sqlite", "docker"))


def everything() -> Iterator[object]:
    """Each case on each of its sites, all in one process: what one site runs would be taken for what another one left."""
    for database, sandbox in SITES:
        marks = pytest.mark.docker if sandbox == "docker" else pytest.mark.sandbox
        for case in chosen(database, sandbox, AWAY_S):
            yield pytest.param((database, sandbox), case, id=f"{database}-{sandbox}-{case.name}", marks=marks)


@pytest.mark.parametrize(("bench", "case"), list(everything()), indirect=["bench"])
def test_nothing_is_lost_and_nothing_counts_twice(bench: Bench, case: Case):
    if case.needs_root and os.geteuid() != 0:
        require("root", "only root can make a folder that is soon full")
    assert bench.attempt(case).problems == []
