"""Lab 1 as a whole: the solution scores everything, the student version nothing, and each mutant loses in its own task alone."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest

from grader.api import grade
from grader.contract import GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile, Suite
from grader.inside.cells import read_cells
from grader.judge.suite import load_suite
from grader.lab import Lab
from grader.mutants import MutantSource, load_mutants, task_alone
from grader.notebook import BEGIN, STUB, grade_id, is_solution, read_notebook
from grader.release import release_files, write_release
from tests.labs.grading import points_by_task
from tests.support import plain_environment

LAB = Lab(Path(__file__).resolve().parents[2] / "labs" / "autodiff")
POINTS = {"1": 20.0, "2": 15.0, "3": 15.0, "4": 15.0, "5": 15.0, "6": 10.0, "7": 10.0}
MUTANTS = list(load_mutants(LAB))


@pytest.fixture
def graded(tmp_path: Path, walls: SandboxKind):
    """Grade the bytes of a submission."""

    def run(data: bytes, name: str = "notebook.ipynb", *, seed: int = 7, tasks: tuple[str, ...] = ()) -> GradeReport:
        stored = tmp_path / "stored"
        stored.write_bytes(data)
        file = SubmittedFile(name, str(stored), hashlib.sha256(data).hexdigest())
        spec = JobSpec("test", str(LAB.path), (file,), seed, Suite.FULL, walls, allow_approximate_limits=True)
        return grade(msgspec.structs.replace(spec, tasks=tasks))

    return run


@pytest.mark.parametrize("seed", [0, 1, 4_294_967_295])
def test_the_solution_scores_every_point(graded, seed: int):
    report = graded(LAB.notebook.read_bytes(), seed=seed)
    assert points_by_task(report) == POINTS
    assert not report.notes


def test_the_solution_scores_every_point_as_a_script(graded):
    source = "\n\n".join(cell.source for cell in read_cells(LAB.notebook))
    assert points_by_task(graded(source.encode(), "work.py")) == POINTS


def test_the_student_version_loads_without_a_note_and_scores_nothing(graded):
    report = graded(dict(release_files(LAB))["notebook.ipynb"])
    assert points_by_task(report) == dict.fromkeys(POINTS, 0.0)
    assert not report.notes
    assert {check.verdict for check in report.checks} == {"error"}
    assert all(check.unwritten and check.message.startswith("Not written yet: cell ") for check in report.checks)


@pytest.mark.parametrize("source", [pytest.param(source, id=source.name) for source in MUTANTS])
def test_a_mutant_loses_points_in_its_own_task(graded, source: MutantSource):
    """In no other: `test_one_task_alone_scores_its_own_points` shows that no task calls anything of another's cells."""
    task = source.mutant.task
    assert points_by_task(graded(source.notebook, tasks=(task,)))[task] < POINTS[task]


@pytest.mark.parametrize("task", list(POINTS))
def test_a_task_has_six_mutants_or_more(task: str):
    assert sum(source.mutant.task == task for source in MUTANTS) >= 6


def test_every_solution_cell_has_a_mutant():
    cells = {
        cell.metadata.nbgrader.grade_id for cell in read_notebook(LAB.notebook.read_bytes()).cells if is_solution(cell)
    }
    assert cells == {source.mutant.grade_id for source in MUTANTS}


@pytest.mark.parametrize("task", list(POINTS))
def test_one_task_alone_scores_its_own_points(graded, task: str):
    """The other tasks' cells are stubs: nothing depends on an earlier task."""
    points = points_by_task(graded(task_alone(LAB, task)))
    assert points == {one: full if one == task else 0.0 for one, full in POINTS.items()}


@pytest.mark.parametrize(
    "line", ["import torch", "from autograd import numpy", "import mlsys_core.autodiff as engine", "import jax"]
)
def test_finished_engines_are_refused_with_a_sentence(graded, line: str):
    report = graded(f"import numpy as np\n{line}\n".encode(), "work.py")
    assert report.outcome is Outcome.REFUSED
    assert "line 2" in report.message
    assert "not available" in report.message


def test_points_of_each_task_sum_and_about_a_third_is_public():
    every, public = (load_suite(LAB).infos(suite) for suite in (Suite.FULL, Suite.PUBLIC))
    for task in LAB.tasks:
        total = sum(check.max_score for check in every if check.task == task.id)
        assert total == task.points == POINTS[task.id]
        assert 0.30 <= sum(check.max_score for check in public if check.task == task.id) / total <= 0.40
    assert [check.task for check in every if check.measured] == ["2", "3", "3", "4", "4", "5", "5", "6", "7", "7"]


def test_five_points_are_for_predictions_whose_numbers_students_see():
    predictions = [check for check in load_suite(LAB).infos(Suite.PUBLIC) if "as predicted" in check.title]
    assert [check.task for check in predictions] == ["3", "4", "5", "6", "7"]
    assert sum(check.max_score for check in predictions) == 5
    assert all(check.measured for check in predictions)


def test_a_prediction_that_is_off_is_shown_beside_the_count(graded):
    """Half the operations of a step: right everywhere else, so it loses on the curve alone."""
    notebook = read_notebook(LAB.notebook.read_bytes())
    (cell,) = (one for one in notebook.cells if grade_id(one) == "predict-step")
    cell.source = cell.source.replace("return 3 * projections", "return 1.2 * (3 * projections").replace(
        "(2 + 5) * products", "(2 + 5) * products)"
    )
    report = graded(nbformat.writes(notebook).encode(), tasks=("7",))
    (check,) = (one for one in report.checks if "as predicted" in one.title)
    assert 0 < check.score < 1
    assert check.measurement is not None
    assert abs(check.measurement.value - 1.2) < 0.01
    assert "as you predicted, " in check.message
    assert "and as measured, " in check.message


def test_every_check_has_a_title_and_a_hint_that_points_into_the_handout():
    sections = set(re.findall(r"^## (\d+\.\d+) ", LAB.handout, re.MULTILINE))
    suite = load_suite(LAB)
    for marks in suite.marks.values():
        assert len(marks.title) < 90, marks.name
        assert len(marks.hint) > 20, marks.name
        assert marks.handout in sections, marks.name
    assert len({marks.title for marks in suite.marks.values()}) == len(suite.marks)


def nbgrader_faults(notebook: Any) -> list[str]:
    """What nbgrader's metadata schema, version 3, and its rules for cells would complain about."""
    faults, seen = [], set()
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader")
        if meta is None:
            continue
        name = meta.get("grade_id", "")
        if set(meta) - {"cell_type", "checksum"} != {
            "grade",
            "grade_id",
            "locked",
            "schema_version",
            "solution",
            "task",
        }:
            faults.append(f"{name}: keys {sorted(meta)}")
        if meta.schema_version != 3 or not all(
            isinstance(meta[key], bool) for key in ("grade", "locked", "solution", "task")
        ):
            faults.append(f"{name}: types")
        if not re.fullmatch(r"[a-zA-Z0-9_\-]+", name) or name in seen:
            faults.append(f"{name}: grade_id")
        if meta.solution == meta.locked or meta.grade or meta.task or "points" in meta:
            faults.append(f"{name}: should be read-only or a solution without points of its own")
        seen.add(name)
    return faults


def test_the_notebook_is_valid_and_so_is_its_metadata():
    raw = LAB.notebook.read_text(encoding="utf-8")
    notebook = nbformat.reads(raw, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert nbgrader_faults(notebook) == []
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert raw.startswith('{\n "cells"')


def test_solutions_stand_in_solution_cells_only_and_none_is_released():
    notebook = read_notebook(LAB.notebook.read_bytes())
    assert all((BEGIN in cell.source) == is_solution(cell) for cell in notebook.cells)
    released = dict(release_files(LAB))
    assert BEGIN not in released["notebook.ipynb"].decode()
    stubs = sum(
        cell.source.count(STUB) for cell in read_notebook(released["notebook.ipynb"]).cells if cell.cell_type == "code"
    )
    assert stubs == sum(cell.source.count(BEGIN) for cell in notebook.cells)
    assert not [path for path in released if "hidden" in path or "mutants" in path]


@pytest.mark.parametrize("solved", [False, True])
def test_the_release_runs_in_plain_pytest(tmp_path: Path, solved: bool):
    write_release(LAB, tmp_path)
    if solved:
        (tmp_path / "notebook.ipynb").write_bytes(LAB.notebook.read_bytes())
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=no", "-p", "no:cacheprovider"]
    run = subprocess.run(
        command, check=False, cwd=tmp_path, env=plain_environment(), capture_output=True, text=True, timeout=120
    )
    word = "PASSED" if solved else "FAILED"
    found = [line for line in run.stdout.splitlines() if line.startswith(word)]
    assert len(found) == len(load_suite(LAB).infos(Suite.PUBLIC)), run.stdout + run.stderr
    assert run.returncode == (0 if solved else 1)
