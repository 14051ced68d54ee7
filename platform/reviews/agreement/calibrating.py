"""The pages of calibration: the set with how each reader compares, and one text with its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from accounts.models import User
from courses.models import Enrollment
from reviews.agreement.forms import CalibrateForm
from reviews.agreement.models import CalibrationText
from reviews.agreement.selectors import anonymous_order
from reviews.marking.models import Mark, Purpose, Review
from reviews.models import RubricItem
from submissions.texts import read_texts


@dataclass(frozen=True)
class TextRow:
    """A calibration text: the viewer's points, and what they are compared with where the viewer may know it."""

    text: CalibrationText
    own: Decimal | None
    reference: Decimal | None
    out_of: Decimal
    readers: int


@dataclass(frozen=True)
class CalibratedRow:
    """A reader against the marks of who chose the texts: marks compared, the share that is equal, mean difference a text."""

    name: str
    is_viewer: bool
    texts: int
    exact: float | None
    difference: float | None


@dataclass(frozen=True)
class CalibrationPage:
    """The set, and everybody who has read some of it."""

    rows: tuple[TextRow, ...]
    readers: tuple[CalibratedRow, ...]
    staff: int
    is_instructor: bool
    number: str


@dataclass(frozen=True)
class Compared:
    """One item: what the viewer gave and what the reference gives."""

    title: str
    points: Decimal
    own: Decimal
    reference: Decimal

    @property
    def difference(self) -> Decimal:
        """Points above the reference."""
        return self.own - self.reference


@dataclass(frozen=True)
class CalibrationTextPage:
    """One text. `form` while the viewer may give marks; `compared` once they have, and the reference exists."""

    text: CalibrationText
    texts: tuple[tuple[str, str], ...]
    form: CalibrateForm | None
    has_read: bool
    is_reference: bool
    compared: tuple[Compared, ...]


def calibration_page(enrollment: Enrollment, number: str = "") -> CalibrationPage:
    """The calibration set of the offering. Queries do not grow with texts or graders."""
    texts = CalibrationText.objects.filter(submission__assignment__offering=enrollment.offering)
    listed = list(texts.select_related("submission__assignment", "chosen_by"))
    reviews = _reviews([text.submission_id for text in listed])
    rows = tuple(_row(enrollment, text, reviews.get(text.submission_id, {})) for text in listed)
    return CalibrationPage(
        rows=rows,
        readers=_calibrated(enrollment, listed, reviews),
        staff=enrollment.offering.enrollments.staff().count(),
        is_instructor=enrollment.is_instructor,
        number=number,
    )


def calibration_text_page(
    enrollment: Enrollment, text: CalibrationText, form: CalibrateForm | None = None
) -> CalibrationTextPage:
    """One text for one reader. The reference is shown only to who has read it."""
    reviews = _reviews([text.submission_id]).get(text.submission_id, {})
    own, is_reference = reviews.get(enrollment.user_id), text.chosen_by_id == enrollment.user_id
    items = _items(text)
    reference = reviews.get(text.chosen_by_id or 0)
    return CalibrationTextPage(
        text=text,
        texts=tuple(_titled(text, items)),
        form=(form or calibrate_form(text, own, items)) if own is None or is_reference else None,
        has_read=own is not None,
        is_reference=is_reference,
        compared=_compare(own, reference) if own and reference and not is_reference else (),
    )


def calibrate_form(
    text: CalibrationText,
    own: Review | None = None,
    items: list[RubricItem] | None = None,
    data: Mapping[str, object] | None = None,
) -> CalibrateForm:
    """The form with what the reader gave before in it, or with what came."""
    marks = {f"item-{mark.item_id}": mark.score for mark in own.marks.all()} if own else {}
    initial = {"revision": own.revision if own else 0, "comment": own.comment if own else "", **marks}
    return CalibrateForm(data, items=_items(text) if items is None else items, initial=initial)


def _items(text: CalibrationText) -> list[RubricItem]:
    items = RubricItem.objects.filter(rubric__assignment=text.submission.assignment_id)
    return list(items.prefetch_related("levels"))


def _titled(text: CalibrationText, items: list[RubricItem]) -> list[tuple[str, str]]:
    titles = {item.task_id: item.title for item in items}
    return [(titles.get(name, name), body) for name, body in read_texts(text.submission).items()]


def _reviews(submissions: list[int]) -> dict[int, dict[int, Review]]:
    """By submission and grader. Two queries."""
    found: dict[int, dict[int, Review]] = {}
    reviews = Review.objects.filter(purpose=Purpose.CALIBRATION, submission__in=submissions)
    for review in reviews.select_related("grader").prefetch_related("marks"):
        if review.grader_id is not None:
            found.setdefault(review.submission_id, {})[review.grader_id] = review
    return found


def _row(enrollment: Enrollment, text: CalibrationText, reviews: dict[int, Review]) -> TextRow:
    own, reference = reviews.get(enrollment.user_id), reviews.get(text.chosen_by_id or 0)
    return TextRow(
        text=text,
        own=_total(own) if own else None,
        reference=_total(reference) if reference and own else None,
        out_of=text.submission.assignment.points,
        readers=len(reviews),
    )


def _calibrated(
    enrollment: Enrollment, texts: list[CalibrationText], reviews: dict[int, dict[int, Review]]
) -> tuple[CalibratedRow, ...]:
    compared: dict[int, list[tuple[Compared, ...]]] = {}
    graders: dict[int, User] = {}
    for text in texts:
        by_grader = reviews.get(text.submission_id, {})
        reference = by_grader.get(text.chosen_by_id or 0)
        for pk, review in by_grader.items():
            if reference is not None and review is not reference and review.grader is not None:
                graders[pk] = review.grader
                compared.setdefault(pk, []).append(_compare(review, reference))
    viewer = enrollment.user
    others = [pk for pk in graders if pk != viewer.pk]
    by_name = enrollment.is_instructor
    ordered = sorted(
        others, key=lambda pk: graders[pk].sort_name.encode() if by_name else anonymous_order(viewer, graders[pk])
    )
    names = {pk: graders[pk].name if by_name else f"Reader {at}" for at, pk in enumerate(ordered, 1)}
    rows = [_calibrated_row("You", compared[viewer.pk], is_viewer=True)] if viewer.pk in compared else []
    return (*rows, *(_calibrated_row(names[pk], compared[pk], is_viewer=False) for pk in ordered))


def _calibrated_row(name: str, texts: list[tuple[Compared, ...]], *, is_viewer: bool) -> CalibratedRow:
    marks = [mark for text in texts for mark in text]
    return CalibratedRow(
        name=name,
        is_viewer=is_viewer,
        texts=len(texts),
        exact=sum(not mark.difference for mark in marks) / len(marks) if marks else None,
        difference=float(sum(mark.difference for mark in marks)) / len(texts) if marks else None,
    )


def _compare(own: Review, reference: Review) -> tuple[Compared, ...]:
    stands = {mark.item_id: mark.score for mark in reference.marks.all()}
    marks: list[Mark] = [mark for mark in own.marks.all() if mark.item_id in stands]
    return tuple(Compared(mark.title, mark.points, mark.score, stands[mark.item_id]) for mark in marks)


def _total(review: Review) -> Decimal:
    return sum((mark.score for mark in review.marks.all()), Decimal(0))
