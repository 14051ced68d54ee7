"""Solutions of a lab at different stages, graded for real: what the demo's students hand in.

A variant is the instructor's notebook with some tasks left out, or with one of the lab's own mutants planted in it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from grader.api import grade, notebook_cells, notebook_from_cells
from grader.contract import GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile

MUTANTS_USED = 4
TRIES = 3
REGION_MARKS = {"### BEGIN SOLUTION", "### END SOLUTION"}


@dataclass(frozen=True)
class Variant:
    """A notebook as a student might hand it in."""

    name: str
    sources: dict[str, str]


def variants_of(folder: Path, mutants: Path) -> list[Variant]:
    """From untouched to complete: nothing, half of the first task, the first one, three, five tasks, mutants, everything."""
    solved = _solutions(folder)
    cells = [cell for cell in notebook_cells(folder) if cell.kind == "solution" and cell.key in solved]
    tasks = sorted({cell.task for cell in cells})
    first = [cell.key for cell in cells if cell.task == tasks[0]]
    made = [Variant("untouched", {}), Variant("begun", {key: solved[key] for key in first[: len(first) // 2]})]
    for count in range(1, len(tasks), 2):
        done = {cell.key: solved[cell.key] for cell in cells if cell.task in tasks[:count]}
        made.append(Variant(f"first {count}", done))
    full = {cell.key: solved[cell.key] for cell in cells}
    made += [Variant(path.stem, _planted(full, path)) for path in _spread(sorted(mutants.glob("*.toml")))]
    return [*made, Variant("complete", full)]


def grade_variants(
    folder: Path, files: Sequence[SubmittedFile], *, sandbox: str, approximate: bool
) -> list[GradeReport]:
    """Grade each file for real, two at a time, each with a seed of its own."""
    specs = [
        JobSpec(
            job_id=f"seed-{number}",
            lab_path=str(folder),
            files=(file,),
            seed=498_000 + number,
            sandbox=SandboxKind(sandbox),
            allow_approximate_limits=approximate,
        )
        for number, file in enumerate(files)
    ]
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_graded, specs))


def _graded(spec: JobSpec) -> GradeReport:
    """A report with a grade in it. A machine under load may fail a run, which is tried again; raises `RuntimeError` after three."""
    for _ in range(TRIES):
        report = grade(spec)
        if report.outcome is Outcome.GRADED:
            return report
    raise RuntimeError(f"{spec.job_id} could not be graded for the demo: {report.message}")


def notebook_of(folder: Path, variant: Variant) -> bytes:
    """The variant as an .ipynb file."""
    return notebook_from_cells(folder, variant.sources)


def _solutions(folder: Path) -> dict[str, str]:
    """Source of each cell of the instructor's notebook, by the id that graders know it by."""
    notebook = json.loads((folder / "notebook.ipynb").read_text(encoding="utf-8"))
    sources = {}
    for cell in notebook["cells"]:
        key = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") or cell.get("id", "")
        lines = "".join(cell["source"]).splitlines()
        sources[key] = "\n".join(line for line in lines if line.strip() not in REGION_MARKS)
    return sources


def _planted(full: dict[str, str], path: Path) -> dict[str, str]:
    """The complete solution with one mistake."""
    mutant = tomllib.loads(path.read_text(encoding="utf-8"))
    key = mutant["grade_id"]
    if key not in full or mutant["find"] not in full[key]:
        raise ValueError(f"{path.name} does not fit the notebook: {key} does not contain the text to replace.")
    return {**full, key: full[key].replace(mutant["find"], mutant["replace"], 1)}


def _spread(paths: list[Path]) -> list[Path]:
    step = max(1, len(paths) // MUTANTS_USED)
    return paths[::step][:MUTANTS_USED]
