"""What a sheet would change: who, from what to what; who is unknown; which cells cannot be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from assignments.models import Kind
from reviews.models import RubricItem
from reviews.sheets.export import item_header
from reviews.sheets.parse import Line, SheetRefused, Table
from reviews.sheets.rows import Sheet, SheetRow

EMAIL, RECEIPT, COMMENT = "email", "receipt", "comment"
NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,2})?")
LONGEST_COMMENT = 20_000


@dataclass(frozen=True)
class ItemChange:
    """New points for one item; without earlier ones `before` is None."""

    task_id: str
    title: str
    before: Decimal | None
    after: Decimal


@dataclass(frozen=True)
class Change:
    """What a line changes. `comment` is None where it stays as it is."""

    row: SheetRow
    items: tuple[ItemChange, ...]
    comment: str | None


@dataclass(frozen=True)
class Problem:
    """A cell that cannot be: the row as a spreadsheet numbers it, the column, and what is wrong."""

    row: int
    column: str
    text: str


@dataclass(frozen=True)
class SheetDiff:
    """All of it. It can be applied when something changes and no cell is wrong; people who are unknown are left out."""

    changes: tuple[Change, ...]
    unchanged: int
    unknown: tuple[str, ...]
    problems: tuple[Problem, ...]
    ignored: tuple[str, ...]

    @property
    def can_apply(self) -> bool:
        """Whether there is something to store, and nothing to mend first."""
        return bool(self.changes) and not self.problems


class _Wrong(Exception):  # noqa: N818 - turned into a `Problem`
    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column


def diff_of(sheet: Sheet, table: Table) -> SheetDiff:
    """Compare; raises `SheetRefused` where the columns do not say who and what."""
    return _Comparison(sheet, table).run()


class _Comparison:
    """One file against one sheet."""

    def __init__(self, sheet: Sheet, table: Table) -> None:
        self._table = table
        self._lab = sheet.assignment.kind == Kind.LAB
        self._rubric = sheet.items
        self._items = _columns_of_items(sheet.items, table.columns)
        self._names = {_fixed(name): name for name in table.columns if _fixed(name)}
        self._check_columns()
        self._who = self._names.get(EMAIL) or self._names[RECEIPT]
        self._people = {row.enrollment.user.email.casefold(): row for row in sheet.rows}
        # of shared work the first of its authors' rows
        self._receipts = {row.submission.pk: row for row in reversed(sheet.rows) if row.submission is not None}
        self._seen: dict[int, int] = {}
        self._given: dict[int, tuple[int, Change]] = {}
        self._changes: list[Change] = []
        self._unknown: list[str] = []
        self._problems: list[Problem] = []
        self._unchanged = 0

    def run(self) -> SheetDiff:
        """Every line, in order."""
        for line in self._table.lines:
            try:
                self._compare(line)
            except _Wrong as wrong:
                self._problems.append(Problem(line.number, wrong.column, str(wrong)))
        known = {*self._items, *self._names.values()}
        return SheetDiff(
            changes=tuple(self._changes),
            unchanged=self._unchanged,
            unknown=tuple(self._unknown),
            problems=tuple(self._problems),
            ignored=tuple(name for name in self._table.columns if name and name not in known),
        )

    def _check_columns(self) -> None:
        if EMAIL not in self._names and RECEIPT not in self._names:
            raise SheetRefused(
                "The file has neither a column “email” nor a column “receipt”, so it says nobody's score."
            )
        if not self._items and COMMENT not in self._names:
            raise SheetRefused(
                "No column is named after an item of the rubric. Download the sheet and use the names of its columns."
            )

    def _compare(self, line: Line) -> None:
        row = self._row_of(line)
        if row is None:
            return
        given = {item: self._points(line, column, item) for column, item in self._items.items()}
        changes = tuple(
            ItemChange(item.task_id, item.title, row.points.get(item.task_id), points)
            for item, points in given.items()
            if points is not None and points != row.points.get(item.task_id)
        )
        comment = self._comment(line, row)
        if not changes and comment is None:
            self._unchanged += 1
            return
        self._check_whole(row, changes)
        self._add(line, Change(row, changes, comment))

    def _add(self, line: Line, change: Change) -> None:
        """One change a submission: rows of a team that say the same are one, and those that contradict each other are a problem."""
        assert change.row.submission is not None  # a line of somebody who handed nothing in changes nothing
        number, given = self._given.setdefault(change.row.submission.pk, (line.number, change))
        if given is change:
            self._changes.append(change)
        elif (given.items, given.comment) != (change.items, change.comment):
            text = f"is of {change.row.submission.shared_as}, as row {number} is, and gives other points. A team has one score."
            raise _Wrong(self._who, text)

    def _row_of(self, line: Line) -> SheetRow | None:
        """Whose line it is; None for nobody of the class, and for a line without points of somebody who handed nothing in."""
        email, receipt = self._cell(line, EMAIL).strip(), self._cell(line, RECEIPT).strip()
        if not email and not receipt:
            raise _Wrong(self._who, "is empty, so it says nobody's score.")
        by_receipt = self._by_receipt(receipt)
        row = self._people.get(email.casefold()) if email else by_receipt
        if row is None:
            self._unknown.append(f"Row {line.number}: {email or receipt}")
            return None
        if receipt and (by_receipt is None or by_receipt.submission != row.submission):
            text = f"{receipt} is not the work of {row.enrollment.user.name} that counts. Leave it empty, or download the sheet again."
            raise _Wrong(self._names[RECEIPT], text)
        return self._once(line, row)

    def _once(self, line: Line, row: SheetRow) -> SheetRow | None:
        if row.submission is None:
            if any(self._cell_of(line, column).strip() for column in self._items):
                raise _Wrong(self._who, f"{row.enrollment.user.name} has handed nothing in.")
            self._unchanged += 1
            return None
        if (earlier := self._seen.setdefault(row.enrollment.pk, line.number)) != line.number:
            raise _Wrong(self._who, f"is the same person as row {earlier}.")
        return row

    def _by_receipt(self, text: str) -> SheetRow | None:
        digits = text.removeprefix("#")
        return self._receipts.get(int(digits)) if digits.isascii() and digits.isdecimal() and len(digits) < 18 else None

    def _points(self, line: Line, column: str, item: RubricItem) -> Decimal | None:
        """None for an empty cell: the item stays as it is."""
        text = self._cell_of(line, column).strip()
        if not text:
            return None
        if self._table.decimal_comma:
            text = text.replace(",", ".")
        if not NUMBER.fullmatch(text):
            raise _Wrong(column, f"“{text[:40]}” is no number of points, such as 2 or 1.5.")
        points = Decimal(text)
        if not 0 <= points <= item.points:
            raise _Wrong(column, f"{item.title} takes 0 to {item.points.normalize():f} points, not {text}.")
        return points

    def _comment(self, line: Line, row: SheetRow) -> str | None:
        """None where it stays; an empty cell takes the comment away. Labs have none."""
        if self._lab or COMMENT not in self._names or self._names[COMMENT] not in line.cells:
            return None
        text = self._cell(line, COMMENT).strip()
        if len(text) > LONGEST_COMMENT:
            raise _Wrong(self._names[COMMENT], f"is longer than {LONGEST_COMMENT:,} characters.")
        return text if _lines(text) != _lines(row.comment) else None

    def _check_whole(self, row: SheetRow, changes: tuple[ItemChange, ...]) -> None:
        """Work that is marked for the first time needs every item; a lab needs a score of its checks."""
        if self._lab:
            if missing := [change.title for change in changes if change.before is None]:
                raise _Wrong(self._who, f"has no score for “{missing[0]}” that could be changed.")
            return
        given = {change.task_id for change in changes} | set(row.points)
        if missing := [item.title for item in self._rubric if item.task_id not in given]:
            raise _Wrong(self._who, f"is not marked yet, so every item needs points. Missing: {', '.join(missing)}.")

    def _cell(self, line: Line, name: str) -> str:
        return self._cell_of(line, self._names.get(name, ""))

    def _cell_of(self, line: Line, column: str) -> str:
        return line.cells.get(column, "")


def _columns_of_items(items: tuple[RubricItem, ...], columns: tuple[str, ...]) -> dict[str, RubricItem]:
    """By column: an item is named by its whole header, its short name, or its title where no other has it."""
    titles = [item.title.casefold() for item in items]
    named = {item.title.casefold(): item for item in items if titles.count(item.title.casefold()) == 1}
    named |= {item.task_id.casefold(): item for item in items}
    named |= {item_header(item).casefold(): item for item in items}
    found: dict[str, RubricItem] = {}
    for column in columns:
        item = named.get(column.casefold())
        if item is None or _fixed(column):
            continue
        if item in found.values():
            raise SheetRefused(f"Two columns stand for the item “{item.title}”. Remove one of them.")
        found[column] = item
    return found


def _fixed(column: str) -> str:
    """Which of the sheet's own columns this is, however it is written; empty for none."""
    name = re.sub(r"[^a-z]", "", column.casefold())
    names = {"email": EMAIL, "emailaddress": EMAIL, "receipt": RECEIPT, "receiptnumber": RECEIPT, "comment": COMMENT}
    return names.get(name, name if name in {"name", "adjustments", "total", "grader", "state"} else "")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
