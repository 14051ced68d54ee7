"""Making the copy: one transaction, one line in the log of each of the two offerings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model

from accounts.models import User
from assignments.models import Assignment
from attendance.models import AttendanceRules
from audit.services import record
from config import clock
from courses.models import Offering, Recess, Role, Session
from courses.services import enroll
from exchange.copying.spec import Dates, Frame, Source, source_of
from exchange.copying.what import COPIED, COPIER, NOW
from gradebook.models import AtRiskRules, Component, GradePolicy, LetterCutoff
from projects.models import Deliverable, PresentationRules, TeamRules
from readings.models import Reading
from reviews.models import Rubric, RubricItem, RubricLevel
from reviews.rubrics.models import BankComment
from reviews.similar.models import SimilarSearch

M = TypeVar("M", bound=Model)


class CopyRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """The copy cannot be made; the text says why. Nothing was stored."""


@transaction.atomic
def copy_offering(*, offering: Offering, frame: Frame, dates: Dates, by: User) -> Offering:
    """A new offering with everything that `COPIED` names; raises `CopyRefused`.

    `by` becomes its instructor; the active staff in `frame.staff` (ids of enrollments) come along in their roles. Nothing is released.
    """
    source = source_of(offering)
    if {row.pk for row in source.sessions} != set(dates.sessions) or {row.pk for row in source.assignments} != set(
        dates.assignments
    ):
        raise CopyRefused("The schedule or the assignments have changed meanwhile. Look at the dates again.")
    new = _offering(offering, frame)
    _Copier(source, new, dates, by).run()
    _people(offering, new, frame, by)
    record(actor=by, action="copied an offering", subject=new, offering_id=new.pk, before=offering.slug, after=new.slug)
    record(
        actor=by,
        action="copied an offering",
        subject=offering,
        offering_id=offering.pk,
        before=offering.slug,
        after=new.slug,
    )
    return new


def _offering(offering: Offering, frame: Frame) -> Offering:
    new = Offering.objects.get(pk=offering.pk)
    new.pk = None
    new.slug, new.term, new.room, new.meets = frame.slug, frame.term, frame.room, frame.meets
    new.starts_on, new.ends_on = frame.starts_on, frame.ends_on
    try:
        with transaction.atomic():
            new.save(force_insert=True)
    except IntegrityError as taken:
        raise CopyRefused(f"There is an offering with the address {frame.slug} already. Choose another one.") from taken
    Recess.objects.bulk_create(
        Recess(offering=new, name=each.name, starts_on=each.starts_on, ends_on=each.ends_on) for each in frame.breaks
    )
    return new


def _people(offering: Offering, new: Offering, frame: Frame, by: User) -> None:
    enroll(offering=new, user=by, role=Role.INSTRUCTOR, by=by)
    for person in offering.enrollments.staff().filter(pk__in=frame.staff).exclude(user=by).select_related("user"):
        enroll(offering=new, user=person.user, role=Role(person.role), by=by)


class _Copier:
    """Copies rows from the top down, so that what they belong to is there."""

    def __init__(self, source: Source, new: Offering, dates: Dates, by: User) -> None:
        self._source, self._new, self._dates, self._by = source, new, dates, by
        self._now = clock.now()

    def run(self) -> None:
        """Everything that `COPIED` names."""
        old, home = self._source.offering, {"offering": {self._source.offering.pk: self._new}}
        self._copy(Session, self._source.sessions, home, lambda row: {"date": self._dates.sessions[row.pk]})
        self._copy(PresentationRules, PresentationRules.objects.filter(offering=old), home)
        self._copy(AttendanceRules, AttendanceRules.objects.filter(offering=old), home)
        self._copy(Component, Component.objects.filter(offering=old), home)
        self._copy(LetterCutoff, LetterCutoff.objects.filter(offering=old), home)
        self._copy(GradePolicy, GradePolicy.objects.filter(offering=old), home)
        self._copy(AtRiskRules, AtRiskRules.objects.filter(offering=old), home)
        lock = self._dates.teams_lock_at
        self._copy(TeamRules, TeamRules.objects.filter(offering=old), home, lambda _: {"lock_at": lock})
        assignments = self._copy(Assignment, self._source.assignments, home, self._dates_of)
        work = {"assignment": assignments}
        self._copy(Reading, Reading.objects.filter(assignment__in=assignments), work)
        self._copy(Deliverable, Deliverable.objects.filter(assignment__in=assignments), work)
        self._copy(SimilarSearch, SimilarSearch.objects.filter(assignment__in=assignments), work)
        self._rubrics(work)

    def _dates_of(self, row: Assignment) -> Mapping[str, object]:
        opens_at, due_at = self._dates.assignments[row.pk]
        return {"opens_at": opens_at, "due_at": due_at}

    def _rubrics(self, work: Mapping[str, Mapping[int, Model]]) -> None:
        """With the items that are marked now, their levels, and the comments that graders still use."""
        rubrics = self._copy(Rubric, Rubric.objects.filter(assignment__in=work["assignment"]), work)
        items = self._copy(RubricItem, RubricItem.objects.filter(rubric__in=rubrics), {"rubric": rubrics})
        self._copy(RubricLevel, RubricLevel.objects.filter(item__in=items), {"item": items})
        comments = BankComment.objects.filter(item__in=items, archived_at=None)
        self._copy(BankComment, comments.order_by("pk"), {"item": items})

    def _copy(
        self,
        model: type[M],
        rows: Iterable[M],
        owners: Mapping[str, Mapping[int, Model]],
        dated: Callable[[M], Mapping[str, object]] = lambda _: {},
    ) -> dict[int, M]:
        """Copies of the rows, by the ids of the old ones."""
        rule = COPIED[model._meta.label]  # noqa: SLF001 - Django's own name for it
        now_known: dict[object, Any] = {NOW: self._now, COPIER: self._by}
        fresh = {name: now_known.get(value, value) for name, value in rule.fresh.items()}
        made: dict[int, M] = {}
        for row in rows:
            new = dict(fresh) | dict(dated(row))
            for name in rule.owners:
                new[name] = owners[name][getattr(row, f"{name}_id")]
            made[row.pk] = _clone(row, new)
        return made


def _clone(row: M, new: Mapping[str, object]) -> M:
    """Another row with the same fields, but for those that are given."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]  # noqa: SLF001
    same = {field.attname: getattr(row, field.attname) for field in fields if field.name not in new}
    made = type(row)(**same, **new)
    made.save(force_insert=True)
    return made
