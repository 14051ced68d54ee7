"""A submission as a list of code cells, read without nbformat (which a sandbox does not have)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cell:
    """One piece of source and the name that messages call it by: `cell 7`, or a file's name. `given`: the lab's own."""

    label: str
    source: str
    given: bool = False

    @property
    def filename(self) -> str:
        """What tracebacks and frames call it."""
        return f"<given {self.label}>" if self.given else f"<{self.label}>"


def read_cells(path: Path) -> list[Cell]:
    """The code of a notebook or a .py file; cells are numbered as the student sees them, from 1, all kinds counted."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return [Cell(path.name, text)]
    cells = json.loads(text)["cells"]
    return [Cell(f"cell {number}", _source(cell)) for number, cell in enumerate(cells, 1) if _runs(cell)]


def _runs(cell: dict[str, object]) -> bool:
    return cell.get("cell_type") == "code"


def _source(cell: dict[str, object]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)
