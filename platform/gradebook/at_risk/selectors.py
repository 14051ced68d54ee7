"""The view of students at risk: a page of staff, and the same as a table to download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import urlencode

from django.core.paginator import Page
from django.urls import reverse

from courses.lists import holds, page_of
from courses.models import Enrollment, Offering
from gradebook.at_risk.facts import facts_of
from gradebook.at_risk.forms import RulesForm
from gradebook.at_risk.rules import Facts, Reason, Rules, reasons
from gradebook.book.grades import grade_class
from gradebook.models import AtRiskRules
from gradebook.numbers import plain
from gradebook.sources.collect import collect


@dataclass(frozen=True)
class LinkedReason:
    """A reason, with the page where more of it stands."""

    sentence: str
    url: str


@dataclass(frozen=True)
class AtRiskRow:
    """A student whom at least one rule names."""

    student: Enrollment
    facts: Facts
    reasons: tuple[LinkedReason, ...]


@dataclass(frozen=True)
class AtRiskPage:
    """The most urgent first: by how many rules name them, then by the score so far."""

    rows: Page[AtRiskRow]
    named: int
    students: int
    sentences: tuple[str, ...]
    form: RulesForm | None
    q: str


def at_risk_page(viewer: Enrollment, *, q: str = "", number: str = "", form: RulesForm | None = None) -> AtRiskPage:
    """For staff. The number of queries does not depend on the class."""
    stored = rules_of(viewer.offering)
    rows, students = at_risk(viewer.offering)
    shown = [row for row in rows if holds(q, row.student.user.name, row.student.user.email)]
    editable = form or RulesForm(stored=stored) if viewer.is_instructor else None
    return AtRiskPage(
        rows=page_of(shown, number),
        named=len(rows),
        students=students,
        sentences=rules_in(stored).sentences,
        form=editable,
        q=q,
    )


def at_risk(offering: Offering) -> tuple[list[AtRiskRow], int]:
    """Everyone whom a rule names, the most urgent first, and how many students there are."""
    rules, book = rules_in(rules_of(offering)), collect(offering)
    facts = facts_of(offering, book, grade_class(book))
    found = ((student, facts[student.pk], reasons(facts[student.pk], rules)) for student in book.students)
    rows = [
        AtRiskRow(student, known, tuple(_linked(offering, student, reason) for reason in told))
        for student, known, told in found
        if told
    ]
    return sorted(rows, key=_urgency), len(book.students)


def at_risk_table(offering: Offering) -> list[Sequence[object]]:
    """A line a student below the header."""
    rows, _ = at_risk(offering)
    header = ("name", "email", "score so far", "missing in a row", "absences beyond free", "idle days", "reasons")
    return [
        header,
        *(
            (
                row.student.user.name,
                row.student.user.email,
                "" if row.facts.score is None else plain(row.facts.score),
                len(row.facts.missing),
                row.facts.absences,
                "never active" if row.facts.idle_days is None else row.facts.idle_days,
                "; ".join(reason.sentence for reason in row.reasons),
            )
            for row in rows
        ),
    ]


def rules_of(offering: Offering) -> AtRiskRules:
    """The offering's rules; the defaults, not stored, where nobody has set any. One query."""
    return AtRiskRules.objects.filter(offering=offering).first() or AtRiskRules(offering=offering)


def rules_in(stored: AtRiskRules) -> Rules:
    """As the functions read them."""
    return Rules(
        score_below=None if stored.score_below is None else Fraction(stored.score_below),
        missing_in_row=stored.missing_in_row,
        absences_beyond=stored.absences_beyond,
        idle_days=stored.idle_days,
        without_team=stored.without_team,
    )


def _urgency(row: AtRiskRow) -> tuple[int, bool, Fraction, str, int]:
    score = row.facts.score
    return -len(row.reasons), score is None, score or Fraction(0), row.student.user.sort_name, row.student.pk


def _linked(offering: Offering, student: Enrollment, reason: Reason) -> LinkedReason:
    """The page where the number of a reason comes from, at this student."""
    own = {"grade": "student-grade", "work": "student-grade", "attendance": "attendance-student"}
    if name := own.get(reason.page):
        return LinkedReason(reason.sentence, reverse(name, args=[offering.slug, student.pk]))
    if reason.page == "teams":
        return LinkedReason(reason.sentence, reverse("teams", args=[offering.slug]))
    here = reverse("people", args=[offering.slug])
    return LinkedReason(reason.sentence, f"{here}?{urlencode({'q': student.user.email})}")
