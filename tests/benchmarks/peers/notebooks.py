"""The assignment as notebooks: the source that nbgrader releases from, Otter's, and the lab's; and each with a student's answer in it."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode, from_dict, v4

from . import assignment
from .assignment import CHECKS, POINTS, Check, Variant

ANSWER = "answer"
KERNEL = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}


def nbgrader_source(variant: Variant) -> NotebookNode:
    """The instructor's notebook with solution and test cells, the hidden check in a region that nbgrader leaves out of the release."""
    return _notebook([*_front(variant), *(_test_cell(check, variant) for check in CHECKS)])


def lab_source(variant: Variant) -> NotebookNode:
    """The instructor's notebook of the Gradlab lab: the same cells without the tests, which lie in `checks/`."""
    return _notebook(_front(variant))


def otter_notebook(variant: Variant, source: str) -> NotebookNode:
    """A student's notebook for Otter: the four public checks are called from it, the hidden one by the grader."""
    cells = [
        v4.new_code_cell("import otter\n\ngrader = otter.Notebook()"),
        v4.new_markdown_cell(assignment.INTRODUCTION),
        v4.new_code_cell(assignment.GIVEN[variant]),
        v4.new_code_cell(source),
        *(v4.new_code_cell(f'grader.check("{check.name}")') for check in CHECKS if not check.hidden),
    ]
    return _notebook(cells)


def answered(notebook: NotebookNode, source: str) -> NotebookNode:
    """A copy with `source` in the cell that the student writes."""
    copy = from_dict(notebook)
    for cell in copy.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == ANSWER:
            cell.source = source
    return copy


def _front(variant: Variant) -> list[NotebookNode]:
    solution = f"### BEGIN SOLUTION\n{assignment.SOLUTION}\n### END SOLUTION"
    return [
        v4.new_markdown_cell(assignment.INTRODUCTION, metadata=_role("introduction", locked=True)),
        v4.new_code_cell(assignment.GIVEN[variant], metadata=_role("given", locked=True)),
        v4.new_code_cell(solution, metadata=_role(ANSWER, solution=True)),
    ]


def _test_cell(check: Check, variant: Variant) -> NotebookNode:
    source = assignment.in_one_process(check, variant)
    if check.hidden:
        source = f"### BEGIN HIDDEN TESTS\n{source}### END HIDDEN TESTS"
    return v4.new_code_cell(source, metadata=_role(check.name, locked=True, grade=True, points=POINTS))


def _role(
    name: str, *, locked: bool = False, solution: bool = False, grade: bool = False, **points: int
) -> dict[str, Any]:
    """A cell's metadata in nbgrader's schema 3, which the lab's notebook shares."""
    role = {
        "grade_id": name,
        "locked": locked,
        "solution": solution,
        "grade": grade,
        "task": False,
        "schema_version": 3,
    }
    return {"nbgrader": role | points}


def _notebook(cells: list[NotebookNode]) -> NotebookNode:
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # the same text on every run
    return v4.new_notebook(cells=cells, metadata=KERNEL)
