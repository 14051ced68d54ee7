"""nbgrader's export, a CSV file without quotes: a comma in a name makes a longer line, which is read from both ends."""

from __future__ import annotations

from decimal import Decimal

from exchange.nbgrader.found import Found, ImportRefused, Points, number
from exchange.tables import Grid, Line, TableRefused, read_grid

LEFT = ("assignment", "duedate", "timestamp", "student_id")
NAMES = ("last_name", "first_name")
RIGHT = ("email", "raw_score", "late_submission_penalty", "score", "max_score")
HEADER = (*LEFT, *NAMES, *RIGHT)


def read_export(data: bytes) -> Points:
    """Every line; raises `ImportRefused` where it is not such a file."""
    try:
        grid = read_grid(data)
    except TableRefused as refused:
        raise ImportRefused(str(refused)) from refused
    missing = [name for name in ("assignment", "student_id", "score", "max_score") if name not in _places(grid)]
    if missing:
        raise ImportRefused(
            f"The file has no column {', '.join(missing)}, so it is no export of nbgrader. "
            "Make one with “nbgrader export”, or send gradebook.db."
        )
    found, skipped, wrong = [], [], []
    for line in grid.lines:
        cells = _cells(grid, line)
        who = f"Row {line.number}, {cells.get('student_id') or 'without a student'}"
        if _is_nothing(cells):
            skipped.append(f"{who}: handed nothing in for {cells['assignment']}.")
        elif isinstance(row := _found(cells, f"row {line.number}"), Found):
            found.append(row)
        else:
            wrong.append(f"{who}: {row}")
    return Points(tuple(found), tuple(skipped), tuple(wrong))


def _places(grid: Grid) -> dict[str, int]:
    return {name.casefold().replace(" ", "_"): place for place, name in enumerate(grid.columns)}


def _cells(grid: Grid, line: Line) -> dict[str, str]:
    """By the names of the columns."""
    cells, names = line.cells, tuple(_places(grid))
    if len(cells) > len(HEADER) and names == HEADER:
        middle = cells[len(LEFT) : len(cells) - len(RIGHT)]
        cells = (
            *cells[: len(LEFT)],
            ", ".join(map(str.strip, middle[:-1])),
            middle[-1],
            *cells[len(cells) - len(RIGHT) :],
        )
    return {name: value.strip() for name, value in zip(names, cells, strict=False)}


def _is_nothing(cells: dict[str, str]) -> bool:
    """Whether nbgrader lists somebody who handed nothing in: with zero points, and without the moment at which it came."""
    return "timestamp" in cells and not cells["timestamp"] and number(cells.get("score", "")) in {None, Decimal(0)}


def _found(cells: dict[str, str], where: str) -> Found | str:
    """The points of a line, or what is wrong with it."""
    points, most = number(cells.get("score", "")), number(cells.get("max_score", ""))
    if not cells.get("assignment") or not (cells.get("student_id") or cells.get("email")):
        return "the line names no assignment or no student."
    if points is None or most is None:
        return f"“{cells.get('score', '')[:20]}” of “{cells.get('max_score', '')[:20]}” are no points."
    if not most:
        return f"{cells['assignment']} is worth no points in nbgrader."
    return Found(
        where=where,
        assignment=cells["assignment"][:128],
        student_id=cells.get("student_id", ""),
        name=f"{cells.get('first_name', '')} {cells.get('last_name', '')}".strip(),
        email=cells.get("email", "").lower(),
        lms_id="",
        points=points,
        max_points=most,
        penalty=number(cells.get("late_submission_penalty") or 0) or Decimal(0),
    )
