"""nbgrader and Otter as their manuals drive them: files in a folder, one command, grades in a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import nbformat

from . import assignment, notebooks
from .assignment import CHECKS, NAME, POINTS, Variant
from .environments import Environment
from .submissions import Submission, System

TIMEOUT_S = 1800
READ_GRADES = f"""
import json, sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    json.dump({{row["student"]: row["score"] for row in book.submission_dicts("{NAME}")}}, sys.stdout)
"""


class Peer(Protocol):
    """A system with the assignment and some submissions in a folder of its own."""

    label: str

    def reset(self) -> None:
        """Forget all grades."""
        ...

    def single(self, name: str) -> None:
        """Grade one submission."""
        ...

    def batch(self, processes: int) -> None:
        """Grade the batch with one process, or its two halves with two at once."""
        ...

    def scores(self) -> dict[str, float]:
        """Points by the submission's name, of all that were graded since the reset."""
        ...


class Nbgrader:
    """`nbgrader autograde`: one call for all the students whose names match."""

    label = "nbgrader autograde"

    def __init__(self, folder: Path, tools: Environment, variant: Variant, submissions: Sequence[Submission]) -> None:
        self._folder, self._tools = folder, tools
        source = folder / "source" / NAME
        shutil.rmtree(folder, ignore_errors=True)
        source.mkdir(parents=True)
        nbformat.write(notebooks.nbgrader_source(variant), source / f"{NAME}.ipynb")
        (folder / "nbgrader_config.py").write_text('get_config().CourseDirectory.course_id = "bench"\n')
        self._run("generate_assignment", NAME)
        released = nbformat.read(folder / "release" / NAME / f"{NAME}.ipynb", as_version=4)
        for submission in submissions:
            submitted = folder / "submitted" / submission.name / NAME
            submitted.mkdir(parents=True)
            nbformat.write(notebooks.answered(released, submission.source), submitted / f"{NAME}.ipynb")
        shutil.copy(folder / "gradebook.db", folder / "gradebook-before.db")

    def reset(self) -> None:
        shutil.rmtree(self._folder / "autograded", ignore_errors=True)
        shutil.copy(self._folder / "gradebook-before.db", self._folder / "gradebook.db")

    def single(self, name: str) -> None:
        self._run("autograde", NAME, "--student", name)

    def batch(self, processes: int) -> None:
        patterns = ["*-*"] if processes == 1 else ["one-*", "two-*"]
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(self.single, patterns))

    def scores(self) -> dict[str, float]:
        command = [self._tools.program("python"), "-c", READ_GRADES]
        told = subprocess.run(
            command, cwd=self._folder, env=self._tools.variables, check=True, capture_output=True, timeout=TIMEOUT_S
        )
        return {str(name): float(score) for name, score in json.loads(told.stdout).items()}

    def _run(self, *arguments: str) -> None:
        _run([self._tools.program("nbgrader"), *arguments], self._folder, self._tools)


class Otter:
    """`otter run`: one call for each submission."""

    label = "otter run"

    def __init__(self, folder: Path, tools: Environment, variant: Variant, submissions: Sequence[Submission]) -> None:
        self._folder, self._tools = folder, tools
        self._names = [submission.name for submission in submissions]
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("tests", "submissions"):
            (folder / part).mkdir(parents=True)
        for name, text in otter_tests(variant).items():
            (folder / "tests" / name).write_text(text)
        (folder / "otter_config.json").write_text(json.dumps({"show_hidden": True}))
        _run([tools.program("otter"), "generate", "-t", "tests", "-o", "autograder.zip"], folder, tools)
        for submission in submissions:
            notebook = notebooks.otter_notebook(variant, submission.source)
            nbformat.write(notebook, folder / "submissions" / f"{submission.name}.ipynb")

    def reset(self) -> None:
        shutil.rmtree(self._folder / "results", ignore_errors=True)

    def single(self, name: str) -> None:
        result = self._folder / "results" / name
        result.mkdir(parents=True)
        command = [self._tools.program("otter"), "run", "--no-logo", "-a", "autograder.zip", "-o", str(result)]
        _run([*command, f"submissions/{name}.ipynb"], self._folder, self._tools)

    def batch(self, processes: int) -> None:
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(self.single, (name for name in self._names if "-" in name)))

    def scores(self) -> dict[str, float]:
        results = self._folder.glob("results/*/results.json")
        return {result.parent.name: _otter_score(json.loads(result.read_text())) for result in results}


def otter_tests(variant: Variant) -> dict[str, str]:
    """Otter's test files by name, in its format for checks that raise."""
    return {
        f"{check.name}.py": f"""\
from otter.test_files import test_case

OK_FORMAT = False
name = "{check.name}"
points = {POINTS}


@test_case(points={POINTS}, hidden={check.hidden})
{assignment.as_function(check, variant)}"""
        for check in CHECKS
    }


PEERS: dict[System, type[Nbgrader] | type[Otter]] = {System.NBGRADER: Nbgrader, System.OTTER: Otter}


def _otter_score(results: dict[str, list[dict[str, float]]]) -> float:
    """The sum over questions; the report's public summary has none."""
    return sum(float(test.get("score", 0.0)) for test in results["tests"])


def _run(command: list[str], folder: Path, tools: Environment) -> None:
    """Both leave a status other than 0 where a submission could not be graded; the scores tell, so it is no error here."""
    subprocess.run(
        command,
        cwd=folder,
        env=tools.variables,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
    )
