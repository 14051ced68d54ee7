"""The rules that every case is held to are rules: each of them notices what it is there to notice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from grader.contract import CheckResult, GradeReport, Outcome, Verdict

from . import leftovers
from .bench import against_header, leaks
from .cases import FULL, POINTS, SUBMISSIONS, Case, load_cases
from .host import MARK, UNSEEN, planted
from .leftovers import RUN_UIDS, Leftovers

CASES = load_cases()
ELSEWHERE = {22, 23, 24, 25, 26, 30, 43, 44, 45, 46, 47, 48, 57, 73, 81, 85}
CONCERN_THE_JUDGE = {*range(1, 87)}


def case_of(**changes) -> Case:
    fields = {"name": "x", "threats": (), "verdicts": ("failed",), "checks": ("adds",), "message": "", "output": ""}
    return Case(**(fields | {"score": 8.0, "form": "after", "text": ""} | changes))


def report_of(message: str = "", verdict: Verdict = Verdict.FAILED, score: float = 0.0, **changes) -> GradeReport:
    check = CheckResult("test_answers::test_adds", "1", "adds", verdict, score, 2.0, message, hidden=False)
    return GradeReport(Outcome.GRADED, 8.0, FULL, seed=1, checks=(check,), **changes)


def test_every_entry_that_concerns_the_judge_has_a_case_or_stands_in_the_table_of_the_others():
    covered = {int(threat[1:]) for case in CASES for threat in case.threats}
    assert CONCERN_THE_JUDGE - covered == ELSEWHERE
    readme = (SUBMISSIONS.parent / "README.md").read_text()
    assert [number for number in sorted(ELSEWHERE) if f"{number} |" not in readme] == []


def test_headers_are_complete():
    words = {verdict.value for verdict in Verdict}
    for case in CASES:
        assert case.name.startswith("honest/") or case.threats, f"{case.name} names no entry"
        assert set(case.verdicts) <= words, case.name
        assert set(case.checks) <= set(POINTS), case.name
        assert case.name.startswith(("honest/", *(f"{int(threat[1:]):03}_" for threat in case.threats))), case.name


def test_a_report_is_held_to_its_header():
    assert list(against_header(case_of(), report_of())) == []
    assert "expected passed" in next(against_header(case_of(verdicts=("passed",)), report_of()))
    assert "message like" in next(against_header(case_of(message="CPU"), report_of("wall")))
    assert "output like" in next(against_header(case_of(output="cut"), report_of()))
    assert "expected 4 points" in next(against_header(case_of(score=4.0), report_of()))


def test_what_no_report_may_say_is_noticed():
    with planted() as host:
        said = {
            host.token: "planted secret",
            str(host.lab / "checks"): "path of this machine",
            "CAME THROUGH: x": "a wall did not hold",
            "a\0b": "NUL",
            "/gradlab/inside/main.py": "a frame of the grader",
            f"[1.0, {UNSEEN}375]": "hidden inputs",
            "\ud800": "cannot be stored",
        }
        for text, noticed in said.items():
            assert any(noticed in problem for problem in leaks(report_of(text), host)), noticed
        assert list(leaks(report_of("largest error 3, tolerance 1e-9"), host)) == []


def test_the_lab_is_planted_with_a_word_of_its_own():
    with planted() as host:
        files = [host.lab / "notebook.ipynb", host.lab / "checks/hidden/test_hidden.py"]
        assert all(host.token in file.read_text() and MARK not in file.read_text() for file in files)
        assert not host.folder.is_relative_to(Path.cwd())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process or a file a run's uid")
def test_a_survivor_and_its_files_are_noticed(tmp_path):
    found = Leftovers()
    assert found.found(patience_s=2) == []
    uid = RUN_UIDS[7]
    survivor = subprocess.Popen(["sleep", "60"], user=uid, group=uid)
    file = Path("/tmp", f"{leftovers.PREFIX}{os.getpid()}")
    file.touch()
    try:
        noticed = found.found(patience_s=0)
        assert any(f"process {survivor.pid}" in line for line in noticed)
        assert f"file {file}" in noticed
    finally:
        survivor.kill()
        survivor.wait()
        file.unlink()
    assert found.found() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_mount_is_noticed(tmp_path):
    found = Leftovers()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path)], check=True)
    try:
        assert f"mount {tmp_path}" in found.found(patience_s=0)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
