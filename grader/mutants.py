"""Mutation tests of a lab's checks: known wrong solutions, each of which must lose points in the task it breaks and in no other.

That it loses in no other need not be tried with each of them. Where every task gets its points with the cells of all other tasks left
as stubs, its checks call nothing of those cells; and a mutant changes what a cell's functions do, and nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .lab import Lab, LabError
from .notebook import copy_notebook, grade_id, is_solution, student_version, write_notebook
from .upload import lab_notebook


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """mutants/<name>.toml: in the cell `grade_id` of the instructor's notebook, `find` becomes `replace`."""

    task: str
    description: str
    grade_id: str
    find: str
    replace: str


@dataclass(frozen=True)
class MutantSource:
    """A mutant and the notebook that it makes."""

    name: str
    mutant: Mutant
    notebook: bytes


def task_alone(lab: Lab, task: str) -> bytes:
    """The instructor's notebook with stubs in the solution cells of all other tasks; raises `LabError` for a cell that names no task."""
    whole, tasks = copy_notebook(lab_notebook(lab)), {one.id for one in lab.tasks}
    for cell, stub in zip(whole.cells, student_version(whole).cells, strict=True):
        belongs = cell.get("metadata", {}).get("gradlab", {}).get("task")
        if is_solution(cell) and belongs not in tasks:
            raise LabError(f"the solution cell {grade_id(cell)} names no task of the lab in metadata.gradlab.task")
        if is_solution(cell) and belongs != task:
            cell.source = stub.source
    return write_notebook(whole)


def load_mutants(lab: Lab) -> Iterator[MutantSource]:
    """Every mutant of a lab; raises `LabError` for one that does not apply exactly once."""
    for path in sorted((lab.path / "mutants").glob("*.toml")):
        yield _load(lab, path)


def _load(lab: Lab, path: Path) -> MutantSource:
    try:
        mutant = msgspec.toml.decode(path.read_bytes(), type=Mutant)
    except msgspec.DecodeError as error:
        raise LabError(f"{path.name}: {error}") from error
    notebook = copy_notebook(lab_notebook(lab))
    _apply(mutant, notebook, path.name)
    return MutantSource(path.stem, mutant, write_notebook(notebook))


def _apply(mutant: Mutant, notebook: Any, name: str) -> None:
    cells = [cell for cell in notebook.cells if grade_id(cell) == mutant.grade_id]
    if len(cells) != 1 or cells[0].source.count(mutant.find) != 1:
        raise LabError(f"{name}: its `find` text must stand exactly once in the cell {mutant.grade_id}")
    before = cells[0].source
    cells[0].source = before.replace(mutant.find, mutant.replace)
    if _bound(cells[0].source) != _bound(before):
        raise LabError(f"{name}: it changes which names the cell {mutant.grade_id} defines, and not only what they do")


def _bound(source: str) -> list[tuple[str, str]]:
    """The cell's statements outside of functions, by kind and name."""
    return [(type(one).__name__, getattr(one, "name", ast.dump(one))) for one in ast.parse(source).body]
