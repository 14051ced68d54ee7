"""What is known of every student of an offering, for the rules. The number of queries does not depend on the class."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Max

from attendance.models import Attendance, Presence
from attendance.scores import participation_scores
from config import clock
from courses.models import Offering
from gradebook.at_risk.rules import Facts, run_at_the_end
from gradebook.book.grades import ClassGrades
from gradebook.book.parts import State
from gradebook.sources.collect import Book
from projects.models import TeamRules
from projects.teams.selectors import teams_by_member
from submissions.models import Author, Draft, PracticeRun, Submission

CAME_DUE = frozenset({State.GRADED, State.UNGRADED, State.MISSING})


def facts_of(offering: Offering, book: Book, grades: ClassGrades) -> dict[int, Facts]:
    """By the id of the enrollment."""
    seen, absences = last_seen(offering, book), absences_beyond(offering)
    in_team = teams_by_member(offering) if teams_are_locked(offering) else None
    now = clock.now()
    return {
        student.pk: Facts(
            score=grades.students[student.pk].so_far.score,
            missing=_missing(book, student.pk),
            absences=absences.get(student.pk, 0),
            idle_days=(now - seen[student.pk]).days if student.pk in seen else None,
            no_team=in_team is not None and student.pk not in in_team,
        )
        for student in book.students
    }


def absences_beyond(offering: Offering) -> dict[int, int]:
    """How many absences of each student cost something, by the rule of the offering."""
    return {pk: found.absent - found.free_used for pk, found in participation_scores(offering).items()}


def teams_are_locked(offering: Offering) -> bool:
    """Whether students had their time to find a team. One query."""
    return TeamRules.objects.filter(offering=offering, lock_at__lt=clock.now()).exists()


def last_seen(offering: Offering, book: Book) -> Mapping[int, datetime]:
    """When each student was last active: handed in, alone or with a team, typed, ran checks, came to class or signed in. Five queries."""
    work = Submission.objects.filter(assignment__offering=offering)
    shared = Author.objects.filter(submission__assignment__offering=offering)
    drafts = Draft.objects.filter(assignment__offering=offering)
    runs = PracticeRun.objects.filter(assignment__offering=offering)
    present = Attendance.objects.filter(session__offering=offering, presence=Presence.PRESENT)
    asked = (
        work.order_by().values_list("enrollment").annotate(Max("created_at")),
        shared.order_by().values_list("enrollment").annotate(Max("submission__created_at")),
        drafts.order_by().values_list("enrollment").annotate(Max("updated_at")),
        runs.order_by().values_list("enrollment").annotate(Max("created_at")),
        present.order_by().values_list("enrollment").annotate(Max("recorded_at")),
    )
    found = {student.pk: student.user.last_login for student in book.students if student.user.last_login}
    for rows in asked:
        for pk, moment in rows:
            found[pk] = max(moment, found.get(pk, moment))
    return found


def _missing(book: Book, pk: int) -> tuple[str, ...]:
    """The work that is missing in a row at the end, in the order of due dates; what is open or excused is passed over."""
    due = sorted(
        (part for part in book.counting if part.key in book.works), key=lambda part: book.works[part.key].due_at
    )
    states = [(part.title, book.scores[pk][part.key].state) for part in due]
    return run_at_the_end([(title, state is State.MISSING) for title, state in states if state in CAME_DUE])
