"""What the tests of Labs 2 and 3 ask of a whole lab for any device: a class of tests, which a lab's own class fills in."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import ClassVar

import nbformat

from grader.api import grade
from grader.contract import GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile, Suite
from grader.judge.suite import load_suite
from grader.lab import Lab
from grader.mutants import load_mutants
from grader.notebook import BEGIN, STUB, grade_id, is_solution, read_notebook
from grader.release import release_files, write_release
from tests.labs.grading import points_by_task
from tests.support import plain_environment


class WholeLab:
    """`points` by task without a GPU, `gpu_points` what a GPU adds; `predictions` are the tasks that ask for one, in their order.

    `finished` are lines that import what the lab has students build.
    """

    lab: ClassVar[Lab]
    on_gpu: ClassVar[Lab]
    points: ClassVar[dict[str, float]]
    gpu_points: ClassVar[dict[str, float]]
    predictions: ClassVar[list[str]]
    finished: ClassVar[tuple[str, ...]]

    def told(self, report: GradeReport) -> None:
        """What the solution's report says, beside its points."""
        raise NotImplementedError

    def graded(
        self,
        folder: Path,
        data: bytes,
        walls: SandboxKind,
        *,
        name: str = "notebook.ipynb",
        tasks: tuple[str, ...] = (),
        seed: int = 7,
    ) -> GradeReport:
        """The report of a submission of these bytes, of all tasks or of some."""
        stored = folder / "stored"
        stored.write_bytes(data)
        file = SubmittedFile(name, str(stored), hashlib.sha256(data).hexdigest())
        lab = str(self.lab.path)
        return grade(JobSpec("test", lab, (file,), seed, Suite.FULL, walls, allow_approximate_limits=True, tasks=tasks))

    def test_the_solution_scores_every_point(self, tmp_path: Path, walls: SandboxKind):
        report = self.graded(tmp_path, self.lab.notebook.read_bytes(), walls)
        assert points_by_task(report) == self.points
        assert not report.notes
        self.told(report)

    def test_the_student_version_loads_without_a_note_and_scores_nothing(self, tmp_path: Path, walls: SandboxKind):
        report = self.graded(tmp_path, dict(release_files(self.lab))["notebook.ipynb"], walls)
        assert points_by_task(report) == dict.fromkeys(self.points, 0.0)
        assert not report.notes
        assert all(check.unwritten and check.message.startswith("Not written yet: cell ") for check in report.checks)

    def test_finished_parts_are_refused_with_a_sentence(self, tmp_path: Path, walls: SandboxKind):
        for line in self.finished:
            report = self.graded(tmp_path, f"import numpy as np\n{line}\n".encode(), walls, name="work.py")
            assert report.outcome is Outcome.REFUSED, line
            assert "line 2" in report.message, line

    def test_points_sum_to_100_where_there_is_a_gpu(self):
        for lab, extra in ((self.lab, {}), (self.on_gpu, self.gpu_points)):
            found = Counter[str]()
            for check in load_suite(lab).infos(Suite.FULL):
                found[check.task] += check.max_score
            want = {task: points + extra.get(task, 0) for task, points in self.points.items()}
            assert {task: round(points, 6) for task, points in found.items()} == want
            assert [task.id for task in lab.tasks] == list(self.points)
        assert sum(self.points.values()) + sum(self.gpu_points.values()) == 100

    def test_about_a_third_is_public_and_every_task_has_a_measured_check(self):
        every, public = (load_suite(self.lab).infos(suite) for suite in (Suite.FULL, Suite.PUBLIC))
        for task, points in self.points.items():
            assert 0.30 <= sum(check.max_score for check in public if check.task == task) / points <= 0.40
        assert {check.task for check in every if check.measured} == set(self.points)
        predictions = [check for check in public if "as predicted" in check.title]
        assert [check.task for check in predictions] == self.predictions
        assert 4 <= sum(check.max_score for check in predictions) <= 5

    def test_every_check_has_a_title_and_a_hint_that_points_into_the_handout(self):
        sections = set(re.findall(r"^## (\d+\.\d+) ", self.lab.handout, re.MULTILINE))
        suite = load_suite(self.on_gpu)
        for marks in suite.marks.values():
            assert len(marks.title) < 100, marks.name
            assert len(marks.hint) > 20, marks.name
            assert marks.handout in sections, marks.name
        assert len({marks.title for marks in suite.marks.values()}) == len(suite.marks)

    def test_mutants_apply_and_every_solution_cell_has_one(self):
        mutants = list(load_mutants(self.lab))
        counts = Counter(one.mutant.task for one in mutants)
        assert all(counts[task] >= 10 for task in self.points), counts
        cells = {grade_id(cell) for cell in read_notebook(self.lab.notebook.read_bytes()).cells if is_solution(cell)}
        assert cells == {one.mutant.grade_id for one in mutants}

    def test_the_notebook_is_valid_and_names_are_defined_once(self):
        raw = self.lab.notebook.read_text(encoding="utf-8")
        notebook = nbformat.reads(raw, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
        assert raw.startswith('{\n "cells"')
        names: list[str] = []
        for cell in notebook.cells:
            if cell.cell_type == "code":
                assert not cell.outputs
                assert cell.execution_count is None
                names += [one.name for one in ast.parse(cell.source).body if hasattr(one, "name")]
        assert [name for name, times in Counter(names).items() if times > 1] == []

    def test_solutions_stand_in_solution_cells_only_and_none_is_released(self):
        notebook = read_notebook(self.lab.notebook.read_bytes())
        assert all((BEGIN in cell.source) == is_solution(cell) for cell in notebook.cells)
        assert all(cell.metadata.gradlab.task in self.points for cell in notebook.cells if is_solution(cell))
        released = dict(release_files(self.lab))
        assert BEGIN not in released["notebook.ipynb"].decode()
        stubs = sum(
            cell.source.count(STUB)
            for cell in read_notebook(released["notebook.ipynb"]).cells
            if cell.cell_type == "code"
        )
        assert stubs == sum(cell.source.count(BEGIN) for cell in notebook.cells)
        assert not [path for path in released if "hidden" in path or "mutants" in path]

    def test_the_driver_knows_none_of_the_oracles(self):
        """It is what enters the sandbox: of the lab it may import its own parts alone."""
        oracles = {path.stem for path in self.lab.path.rglob("checks/**/*.py")} - {"conftest"}
        for source in (
            self.lab.driver,
            *(text for name, text in self.lab.library.items() if name.startswith("driver_")),
        ):
            for node in ast.walk(ast.parse(source)):
                imported = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.partition(".")[0] for name in imported} & (oracles | {"hidden", "grader", "checks"})

    def test_the_release_runs_in_plain_pytest(self, tmp_path: Path):
        write_release(self.lab, tmp_path)
        (tmp_path / "notebook.ipynb").write_bytes(self.lab.notebook.read_bytes())
        command = [sys.executable, "-m", "pytest", "-rA", "--tb=short", "-p", "no:cacheprovider"]
        run = subprocess.run(
            command, check=False, cwd=tmp_path, env=plain_environment(), capture_output=True, text=True, timeout=120
        )
        found = [line for line in run.stdout.splitlines() if line.startswith("PASSED")]
        assert len(found) == len(load_suite(self.lab).infos(Suite.PUBLIC)), run.stdout + run.stderr
        assert run.returncode == 0

    def test_a_site_without_torch_and_scipy_publishes_it(self):
        """The judge runs where these need not be; only the sandbox has them."""
        block = "import sys; sys.modules.update(dict.fromkeys(('torch', 'triton', 'scipy')))"
        read = "from pathlib import Path; from grader.api import load_lab; print(load_lab(Path(sys.argv[1]), gpu=True).max_score)"
        order = [sys.executable, "-c", f"{block}; {read}", str(self.lab.path)]
        done = subprocess.run(order, cwd=self.lab.path.parents[1], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "100.0", done.stderr[-1500:]
