"""The page of a lab's boards: who is in which place, by our own runs of the lab's present version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assignments.models import Assignment, Lab
from courses.models import Enrollment
from grader.contract import CheckInfo
from reviews.boards.models import BoardMember, BoardResult
from reviews.boards.places import better, placed
from submissions.models import Submission


@dataclass(frozen=True)
class BoardRow:
    """An entry. `student` and `submission` are filled for staff alone, and for nobody else's row but one's own."""

    place: int
    tied: bool
    result: BoardResult
    member: BoardMember
    is_you: bool
    student: str
    submission: Submission | None


@dataclass(frozen=True)
class Board:
    """One check's entries, the best first; `least` and `most` bound all of their intervals."""

    check: CheckInfo
    what: str
    less_is_better: bool
    rows: tuple[BoardRow, ...]

    @property
    def least(self) -> float:
        """The lowest end of an interval."""
        return min(row.result.low for row in self.rows)

    @property
    def most(self) -> float:
        """The highest end of an interval."""
        return max(row.result.high for row in self.rows)


@dataclass(frozen=True)
class BoardsPage:
    """All boards of a lab. `waiting` is how many of the viewer's submissions wait for our run or have it now."""

    assignment: Assignment
    boards: tuple[Board, ...]
    member: BoardMember | None
    waiting: int
    can_join: bool
    typed: str = ""
    wrong: str = ""


def boards_page(assignment: Assignment, viewer: Enrollment, *, typed: str | None = None, wrong: str = "") -> BoardsPage:
    """The boards as this person may see them. `typed` and `wrong` are what a form was refused for."""
    lab = assignment.lab
    assert lab is not None  # a lab without a version has no boards
    results = BoardResult.objects.filter(
        proof__lab=lab, proof__member__assignment=assignment, proof__member__enrollment__dropped_at=None
    ).select_related("proof__member__enrollment__user", "proof__submission")
    shown = [result for result in results if _may_see(result.proof.member, viewer)]
    member = next((one for one in assignment.board_members.all() if one.enrollment_id == viewer.pk), None)
    return BoardsPage(
        assignment=assignment,
        boards=tuple(_board(check, shown, viewer) for check in checks_with_boards(lab)),
        member=member,
        waiting=member.proofs.filter(settled_at=None).count() if member else 0,
        can_join=not viewer.is_staff,
        typed=typed if typed is not None else (member.name if member else ""),
        wrong=wrong,
    )


def checks_with_boards(lab: Lab) -> list[CheckInfo]:
    """In the order in which lab.toml names them."""
    known = {check.name: check for check in lab.summary.checks}
    return [known[name] for name in lab.summary.boards]


def _may_see(member: BoardMember, viewer: Enrollment) -> bool:
    """A name that staff took off is there for staff and for its own student."""
    return member.hidden_at is None or viewer.is_staff or member.enrollment_id == viewer.pk


def _board(check: CheckInfo, results: Iterable[BoardResult], viewer: Enrollment) -> Board:
    ranked = placed(_best_of_each(result for result in results if result.check_name == check.name))
    places = [place for place, _ in ranked]
    rows = tuple(_row(place, places.count(place) > 1, result, viewer) for place, result in ranked)
    first = ranked[0][1] if ranked else None
    return Board(check, first.what if first else "", first.less_is_better if first else True, rows)


def _best_of_each(results: Iterable[BoardResult]) -> list[BoardResult]:
    best: dict[int, BoardResult] = {}
    for result in results:
        known = best.get(result.proof.member_id)
        if known is None or better(result, known):
            best[result.proof.member_id] = result
    return list(best.values())


def _row(place: int, tied: bool, result: BoardResult, viewer: Enrollment) -> BoardRow:  # noqa: FBT001 - a fact of the row
    member = result.proof.member
    mine = member.enrollment_id == viewer.pk
    known = viewer.is_staff or mine
    student = member.enrollment.user.name if viewer.is_staff else ""
    return BoardRow(place, tied, result, member, mine, student, result.proof.submission if known else None)
