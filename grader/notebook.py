"""Notebooks as students send them: any nbformat 3-5 is upgraded, outputs are dropped, magics are refused with the cell's number.

nbgrader's cell metadata (schema 3) tells what a cell is: `solution` cells are the student's, `locked` ones are ours and are restored
from the lab's own notebook, whatever was sent.
"""

from __future__ import annotations

import copy
import json
import re
import warnings
from dataclasses import dataclass
from typing import Any

import nbformat

from .contract import Refusal
from .inside.cells import Cell
from .source import UNPARSABLE, parse

MAX_CELLS = 2_000
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
# of a cell, in formats 3, 4 and 5; outputs are emptied, and the rest of it is left where it was stored
CELL_PARTS = (
    *("cell_type", "id", "metadata", "source", "input", "language", "level", "collapsed"),
    *("execution_count", "prompt_number"),
)
STUB = "raise NotImplementedError"
MAGIC = re.compile(r"^[ \t]*(?:[\w., ]{1,80}=[ \t]*(?=[%!]))?(%%?\w|!|\?\w|\w+\?[ \t]*$)", re.MULTILINE)
IPYTHON = re.compile(r"\bget_ipython\s*\(")


@dataclass(frozen=True)
class NotebookCell:
    """A cell for the editor. `key` is its grade_id or cell id; `kind` is markdown, given, solution or code."""

    key: str
    kind: str
    source: str
    task: str = ""


def read_notebook(data: bytes) -> Any:
    """The notebook in nbformat 4 without outputs; raises `Refusal` with the reason in a sentence."""
    if not data.strip():
        raise Refusal("The notebook is empty: it has no bytes. Save it in Jupyter and upload it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing cell ids and the like are mended, not reported
            notebook = nbformat.reads(json.dumps(_parts_read(data.decode("utf-8-sig"))), as_version=4)
            nbformat.validate(notebook)
    except Refusal:
        raise
    except UnicodeDecodeError as error:
        raise Refusal("The notebook is not text in UTF-8, so it cannot be read.") from error
    except Exception as error:
        raise Refusal(f"The file is not a notebook that can be read: {_reason(error)}") from error
    return _cleaned(notebook)


def _parts_read(text: str) -> Any:
    """The notebook's JSON cut down to what anybody reads here, before the format's validator sees it.

    That takes minutes to word what is wrong in some hundred kilobytes of outputs, attachments or tags, which are nobody's answer.
    """
    try:
        notebook = json.loads(text)
    except ValueError as error:
        raise nbformat.reader.NotJSONError(str(error)) from error
    places = [notebook, *_listed(notebook, "worksheets")]
    count = sum(len(_listed(place, "cells")) for place in places)
    if count > MAX_CELLS:
        raise Refusal(f"The notebook has {count:,} cells; at most {MAX_CELLS:,} are accepted.")
    if isinstance(notebook, dict) and isinstance(notebook.get("metadata"), dict):
        notebook["metadata"] = _only(notebook["metadata"], "kernelspec", "language_info")
    for place in places:
        if _listed(place, "cells"):
            place["cells"] = [_bare(cell) for cell in place["cells"]]
    return notebook


def _bare(cell: Any) -> Any:
    """A cell of any version of the format: its outputs emptied, its metadata ours alone, its source one text."""
    if not isinstance(cell, dict):
        raise Refusal("The file is not a notebook that can be read: one of its cells is no cell.")
    bare = _only(cell, *CELL_PARTS)
    bare |= {"outputs": []} if "outputs" in cell else {}
    if isinstance(bare.get("metadata"), dict):
        bare["metadata"] = _only(bare["metadata"], "nbgrader", "gradlab")
    for key in ("source", "input"):
        if isinstance(lines := bare.get(key), list):
            if not all(isinstance(line, str) for line in lines):
                raise Refusal("The file is not a notebook that can be read: the source of one of its cells is no text.")
            bare[key] = "".join(lines)
    return bare


def _only(mapping: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: mapping[name] for name in names if name in mapping}


def _listed(place: Any, name: str) -> list[Any]:
    found = place.get(name) if isinstance(place, dict) else None
    return found if isinstance(found, list) else []


def write_notebook(notebook: Any) -> bytes:
    """The notebook as .ipynb bytes."""
    return str(nbformat.writes(notebook)).encode()


def copy_notebook(notebook: Any) -> Any:
    """A copy that may be changed."""
    return copy.deepcopy(notebook)


def _reason(error: Exception) -> str:
    if isinstance(error, nbformat.reader.NotJSONError):
        return "its JSON is broken or cut off. Save it again in Jupyter and check its size."
    if isinstance(error, nbformat.validator.NotebookValidationError):
        return f"it does not follow the notebook format ({error.message[:120]})."
    return f"it does not follow notebook format 3, 4 or 5 ({type(error).__name__})."


def _cleaned(notebook: Any) -> Any:
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not cells:
        raise Refusal("The notebook has no cells. Upload the lab's notebook with your answers in it.")
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def grader_metadata(cell: Any) -> dict[str, Any]:
    """The cell's nbgrader metadata, or an empty dict."""
    found = cell.get("metadata", {}).get("nbgrader", {})
    return dict(found) if isinstance(found, dict) else {}


def grade_id(cell: Any) -> str:
    """The cell's nbgrader id, or an empty string."""
    return str(grader_metadata(cell).get("grade_id", ""))


def is_solution(cell: Any) -> bool:
    """Whether the student writes this cell."""
    return bool(grader_metadata(cell).get("solution"))


def is_locked(cell: Any) -> bool:
    """Whether the cell is ours, so that our copy replaces the student's."""
    found = grader_metadata(cell)
    return bool(found.get("locked") or found.get("grade")) and not found.get("solution")


def student_version(notebook: Any) -> Any:
    """The notebook with each solution region replaced by a stub; raises `ValueError` for a region that does not close."""
    released = copy_notebook(notebook)
    for cell in released.cells:
        if cell.cell_type == "code":
            cell.source = _without_solution(cell.source)
            cell.outputs, cell.execution_count = [], None
    return released


def _without_solution(source: str) -> str:
    kept, inside = [], False
    for line in source.splitlines():
        if BEGIN in line:
            if inside:
                raise ValueError("a solution region begins inside another")
            inside = True
            kept.append(line[: len(line) - len(line.lstrip())] + STUB)
        elif END in line:
            if not inside:
                raise ValueError("a solution region ends before it begins")
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError("a solution region is not closed")
    return "\n".join(kept)


def refuse_magics(notebook: Any) -> None:
    """Notebook commands (`%…`, `!…`, `…?`) run in Jupyter only; raises `Refusal` with the first cell that has one."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and (line := _magic(cell.source)) and not _is_python(cell.source):
            raise Refusal(
                f"Cell {number} uses a notebook command, `{line[:60]}`, which only Jupyter understands. "
                "Remove the line, or put a # before it, and submit again."
            )
        if cell.cell_type == "code" and IPYTHON.search(cell.source):
            raise Refusal(
                f"Cell {number} calls get_ipython(), which only Jupyter has. Remove the call and submit again."
            )


def _is_python(source: str) -> bool:
    """Plain Python may hold a line that looks like a magic, in a string or a modulo over two lines."""
    try:
        parse(source)
    except UNPARSABLE:
        return False
    return True


def _magic(source: str) -> str:
    found = MAGIC.search(source)
    if not found:
        return ""
    return source[found.start() :].strip().splitlines()[0].strip()


def merged(submitted: Any, lab_notebook: Any) -> list[Cell]:
    """The code to run: the student's cells in their order, ours restored; raises `Refusal` when a graded cell came twice.

    A locked cell that was deleted is put back before the next cell of ours that is there.
    """
    ours = [c for c in lab_notebook.cells if c.cell_type == "code" and grade_id(c) and is_locked(c)]
    seen = [grade_id(cell) for cell in submitted.cells if grade_id(cell)]
    twice = sorted({key for key in seen if seen.count(key) > 1})
    if twice:
        raise Refusal(f"The cell {twice[0]} is in your notebook twice. Keep one of the two and submit again.")
    locked = {grade_id(cell): cell for cell in ours}
    missing = [cell for cell in ours if grade_id(cell) not in seen]
    order = [grade_id(cell) for cell in lab_notebook.cells if grade_id(cell)]
    cells: list[Cell] = []
    for number, cell in enumerate(submitted.cells, 1):
        key = grade_id(cell)
        if key in order:
            while missing and order.index(grade_id(missing[0])) < order.index(key):
                cells.append(_restored(missing.pop(0)))
        source = locked.get(key, cell)
        if source.cell_type == "code":
            cells.append(Cell(f"cell {number}", source.source, given=key in locked))
    return [*cells, *(_restored(cell) for cell in missing)]


def _restored(cell: Any) -> Cell:
    return Cell(f"cell {grade_id(cell)}", cell.source, given=True)


def editor_cells(notebook: Any) -> list[NotebookCell]:
    """The student version as the editor shows it."""
    return [NotebookCell(cell_key(cell), _kind(cell), cell.source, _task(cell)) for cell in notebook.cells]


def with_sources(notebook: Any, sources: dict[str, str]) -> Any:
    """The same student version, with the editor's sources in the cells that a student may write."""
    for cell in notebook.cells:
        key = cell_key(cell)
        if key in sources and _kind(cell) in {"solution", "code"}:
            cell.source = sources[key]
    return notebook


def cell_key(cell: Any) -> str:
    """What the editor and drafts call a cell."""
    return grade_id(cell) or str(cell.get("id", ""))


def _kind(cell: Any) -> str:
    if cell.cell_type != "code":
        return "markdown"
    if is_solution(cell):
        return "solution"
    return "given" if is_locked(cell) else "code"


def _task(cell: Any) -> str:
    """The lab's task that a cell belongs to, from `metadata.gradlab.task`."""
    found = cell.get("metadata", {}).get("gradlab", {})
    return str(found.get("task", "")) if isinstance(found, dict) else ""
