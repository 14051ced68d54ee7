"""Canvas's own export, read for the IDs of its columns and for what it has in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from courses.models import Enrollment
from exchange.canvas.table import PEOPLE
from exchange.tables import Grid, Line, TableRefused

HEADER = re.compile(r"(?P<title>.+?)\s*\((?P<id>\d{1,30})\)")
LONGEST_TITLE = 300
# numbers as Canvas writes them in the languages in which a semicolon parts the columns: 1.000,5
WITH_COMMA, DECIMAL = re.compile(r"(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"), re.compile(r"[\d.]*\d,\d+")


@dataclass(frozen=True)
class Found:
    """A column of Canvas. `values` are by the id of the enrollment; what is empty there is not among them."""

    canvas_id: str
    title: str
    points: Decimal | None
    values: dict[str, str]


@dataclass(frozen=True)
class CanvasExport:
    """All columns with an ID, and how many people of the file are in the class."""

    columns: tuple[Found, ...]
    known: int


def read_canvas(grid: Grid, people: Iterable[Enrollment]) -> CanvasExport:
    """Raises `TableRefused` for a table that does not come from Canvas."""
    places = {name.casefold(): place for place, name in reversed(list(enumerate(grid.columns)))}
    who = [places.get(name.casefold()) for name in PEOPLE]
    if who[0] is None or all(place is None for place in who[1:4]):
        raise TableRefused(
            "The file has no columns Student and ID, so it is no export of Canvas's gradebook. In Canvas: Grades, Export."
        )
    heads = {place: match for place, name in enumerate(grid.columns) if (match := HEADER.fullmatch(name))}
    if not heads:
        raise TableRefused("No column has an ID in parentheses, as in “Lab 1 (4711)”, so there is nothing to remember.")
    grid = _with_points(grid, heads)
    points = next((line for line in grid.lines if line.cell(who[0]).casefold() == "points possible"), None)
    whose = _whose(people)
    lines = [(found, line) for line in grid.lines if (found := _of(line, who, whose)) is not None]
    columns = (
        Found(
            canvas_id=match["id"],
            title=match["title"][:LONGEST_TITLE],
            points=_number(points.cell(place)) if points else None,
            values={str(pk): value[:30] for pk, line in lines if (value := line.cell(place))},
        )
        for place, match in heads.items()
        if points is None or "read only" not in points.cell(place).casefold()
    )
    return CanvasExport(tuple({column.canvas_id: column for column in columns}.values()), len(lines))


def same(ours: object, theirs: str) -> bool:
    """Whether a cell of Canvas holds this value already."""
    number = _number(theirs)
    return number == ours if isinstance(ours, Decimal) else (str(ours) if ours is not None else "") == theirs


def _with_points(grid: Grid, places: Collection[int]) -> Grid:
    """The same with decimal points in these columns. Without a number such as 8,5 among them a semicolon says nothing of numbers."""
    cells = (line.cell(place) for line in grid.lines for place in places)
    if grid.delimiter != ";" or not any(map(DECIMAL.fullmatch, cells)):
        return grid

    def pointed(line: Line, place: int, cell: str) -> str:
        number = place in places and WITH_COMMA.fullmatch(line.cell(place))
        return line.cell(place).replace(".", "").replace(",", ".") if number else cell

    lines = (Line(line.number, tuple(pointed(line, *at) for at in enumerate(line.cells))) for line in grid.lines)
    return replace(grid, lines=tuple(lines))


def _whose(people: Iterable[Enrollment]) -> dict[tuple[int, str], int]:
    """Ids of enrollments by the place among Canvas's columns and what stands there."""
    found: dict[tuple[int, str], int] = {}
    for person in people:
        names = ((1, person.lms_id), (2, person.sis_id), (3, person.sis_login.casefold()))
        found |= {(place, name): person.pk for place, name in names if name}
    return found


def _of(line: Line, who: list[int | None], whose: dict[tuple[int, str], int]) -> int | None:
    for place in (1, 2, 3):
        value = line.cell(who[place])
        if found := whose.get((place, value.casefold() if place == 3 else value)):
            return found
    return None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < 10**7 else None
