"""The comparison with other graders is sound on our side: one source, valid files for each system, honest scores behind the walls."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import nbformat
import pytest

from grader.api import load_lab
from grader.contract import SandboxKind
from grader.notebook import student_version
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.choose import open_sandbox
from tests.benchmarks.peers import notebooks, table
from tests.benchmarks.peers.assignment import CHECKS, MAX_SCORE, Variant, in_one_process
from tests.benchmarks.peers.gradlab import LabFolder, write_folder
from tests.benchmarks.peers.peers import otter_tests
from tests.benchmarks.peers.submissions import BUGGY, CHEATS, FULL, Submission, System, batch, cheats
from tests.benchmarks.peers.worker import OneProcess, graded
from tests.support import require

SUBMISSIONS = (FULL, BUGGY, *cheats(System.GRADLAB), *batch(4))


@pytest.fixture(scope="module", params=list(Variant))
def folder(request, tmp_path_factory) -> LabFolder:
    """The lab and everybody's notebook, in each variant."""
    return write_folder(tmp_path_factory.mktemp("bench"), request.param, SUBMISSIONS)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> LabFolder:
    """The variant that needs no torch."""
    return write_folder(tmp_path_factory.mktemp("bench"), Variant.PLAIN, SUBMISSIONS)


@pytest.fixture
def walls() -> None:
    """bubblewrap, or a skip with the reason."""
    try:
        open_sandbox(SandboxKind.BUBBLEWRAP, allow_approximate_limits=True)
    except SandboxUnavailable as reason:
        require("bubblewrap", str(reason))


def test_every_notebook_is_valid(folder: LabFolder):
    variant = folder.variant
    made = [notebooks.nbgrader_source(variant), notebooks.lab_source(variant)]
    for system in System:
        for submission in (FULL, BUGGY, *cheats(system)):
            made.append(notebooks.otter_notebook(variant, submission.source))
            made.append(notebooks.answered(notebooks.nbgrader_source(variant), submission.source))
    made += [nbformat.read(file, as_version=4) for file in folder.files.values()]
    for notebook in made:
        nbformat.validate(notebook)
        for cell in notebook.cells:
            assert cell.cell_type != "code" or ast.parse(cell.source)


@pytest.mark.parametrize("variant", Variant)
def test_nbgraders_cells_have_names_points_and_one_answer(variant: Variant):
    roles = [cell.metadata.nbgrader for cell in notebooks.nbgrader_source(variant).cells]
    assert len({role.grade_id for role in roles}) == len(roles)
    assert [role.grade_id for role in roles if role.solution] == [notebooks.ANSWER]
    assert sum(role.get("points", 0) for role in roles) == MAX_SCORE
    assert all(role.locked for role in roles if not role.solution)


def test_the_hidden_check_is_only_where_students_do_not_look(folder: LabFolder):
    variant = folder.variant
    (hidden,) = (check for check in CHECKS if check.hidden)
    formula = hidden.cases[0].formula
    (cell,) = (cell for cell in notebooks.nbgrader_source(variant).cells if formula in cell.source)
    assert cell.source.startswith("### BEGIN HIDDEN TESTS\n")
    assert cell.source.endswith("\n### END HIDDEN TESTS")
    assert formula not in nbformat.writes(notebooks.otter_notebook(variant, FULL.source))


def test_the_lab_has_the_five_checks_and_the_last_is_hidden(plain: LabFolder):
    lab = load_lab(plain.lab)
    assert [check.title for check in lab.checks] == [check.title for check in CHECKS]
    assert [check.hidden for check in lab.checks] == [check.hidden for check in CHECKS]
    assert lab.max_score == MAX_SCORE


@pytest.mark.parametrize("variant", Variant)
def test_otters_tests_are_the_same_checks(variant: Variant):
    tests = otter_tests(variant)
    assert sorted(tests) == [f"{check.name}.py" for check in CHECKS]
    for check in CHECKS:
        source = tests[f"{check.name}.py"]
        (function,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
        body = ast.Module(function.body, [])
        assert ast.dump(body) == ast.dump(ast.parse(in_one_process(check, variant)))


def test_students_of_gradlab_start_from_a_stub(folder: LabFolder):
    released = student_version(nbformat.read(folder.lab / "notebook.ipynb", as_version=4))
    assert [cell.source for cell in released.cells if "class Scalar" in cell.source] == []
    assert "raise NotImplementedError" in [cell.source for cell in released.cells]


def test_a_batch_is_of_different_submissions_in_two_halves():
    made = batch(5)
    assert len({submission.source for submission in made}) == 5
    assert [submission.name for submission in made] == ["one-00", "one-01", "one-02", "two-03", "two-04"]
    assert {submission.honest for submission in made} == {FULL.honest, BUGGY.honest}


def test_the_checks_tell_right_from_wrong_without_walls(plain: LabFolder):
    beside = OneProcess(Variant.PLAIN)
    assert {s.name: beside.score(plain.files[s.name]) for s in (FULL, BUGGY)} == {"full": 10, "buggy": 4}


def test_the_first_cheat_wins_where_there_are_no_walls(plain: LabFolder, monkeypatch):
    monkeypatch.setattr(builtins, "abs", abs)  # put back afterwards
    assert OneProcess(Variant.PLAIN).score(plain.files["builtins"]) == MAX_SCORE


@pytest.mark.sandbox
@pytest.mark.usefixtures("walls")
@pytest.mark.parametrize("submission", SUBMISSIONS, ids=lambda submission: submission.name)
def test_everybody_gets_what_the_work_is_worth(submission: Submission, plain: LabFolder):
    report = graded(plain.lab, plain.files[submission.name])
    assert (report.score, report.max_score) == (submission.honest, MAX_SCORE)
    assert "overwrote" not in "".join(check.output for check in report.checks)


@pytest.mark.sandbox
@pytest.mark.usefixtures("walls")
def test_the_lab_with_torch_grades_too(tmp_path: Path):
    pytest.importorskip("torch", reason="the variant with torch needs it beside the grader")
    folder = write_folder(tmp_path, Variant.TORCH, [FULL, BUGGY])
    assert [graded(folder.lab, folder.files[s.name]).score for s in (FULL, BUGGY)] == [FULL.honest, BUGGY.honest]


def test_the_table_has_a_row_for_each_system_and_the_goals_say_whether_they_are_met():
    theirs = table.Row(
        "nbgrader autograde", "plain", batch_wall_s=1.0, two_wall_s=0.5, cheats=dict.fromkeys(CHEATS, 10.0)
    )
    ours = table.Row("Gradlab", "plain", single_wall_s=0.0123, batch_wall_s=0.02, two_wall_s=0.01, peak_mib=80.4)
    lines = table.table([theirs, ours], 30).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].endswith("| 10 | 10 | 10 |")
    assert "0.012" in lines[3]
    assert "50 × as many (goal ≥ 20 ×): met" in table.throughput_line(ours, theirs)
    assert "median 40.0 ms" in table.overhead_line("plain", [0.04] * 40)
    assert "**missed**" in table.overhead_line("plain", [0.04] * 30 + [0.4] * 10)
