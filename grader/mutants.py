"""Mutation tests of a lab's checks: known wrong solutions, each of which must lose points in the task it breaks and in no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .lab import Lab, LabError
from .notebook import copy_notebook, grade_id, write_notebook
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
    cells[0].source = cells[0].source.replace(mutant.find, mutant.replace)
