"""The form of the queue's page: a mark and a comment an item, the whole comment, a note for staff, a flag, an adjustment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict

from config import clock
from reviews.marking.services import GivenMark, ReviewRefused, check_marks
from reviews.models import RubricItem
from reviews.queue.drafts import Draft
from reviews.queue.services import Given

LONGEST_COMMENT, LONGEST_SITTING_S = 5000, 3600


class MarksForm(forms.Form):
    """All that a grader typed. `draft()` gives it back whatever it is; `given()` only where it can be stored."""

    comment = forms.CharField(required=False, max_length=LONGEST_COMMENT, label="The comment")
    staff_note = forms.CharField(required=False, max_length=LONGEST_COMMENT, label="The note for staff")
    flagged = forms.BooleanField(required=False)
    revision = forms.IntegerField(required=False, min_value=0, max_value=10**6)
    opened_at = forms.IntegerField(required=False, min_value=0)
    adjust_points = forms.DecimalField(required=False, max_digits=7, decimal_places=2, label="The adjustment")
    adjust_reason = forms.CharField(required=False, max_length=2000, label="The reason of the adjustment")

    def __init__(self, data: QueryDict, *, items: list[RubricItem]) -> None:
        super().__init__(data)
        self.items, self.typed = items, data
        for item in items:
            self.fields[f"mark-{item.pk}"] = forms.DecimalField(
                required=False, max_digits=7, decimal_places=2, label=item.title
            )
            self.fields[f"comment-{item.pk}"] = forms.CharField(
                required=False, max_length=LONGEST_COMMENT, label=f"The comment on {item.title}"
            )

    def given(self) -> Given:
        """What is to be stored; raises `ReviewRefused` with a sentence for the grader."""
        if not self.is_valid():
            raise ReviewRefused(self._sentence())
        clean: dict[str, Any] = self.cleaned_data
        scores = {item.pk: clean[f"mark-{item.pk}"] for item in self.items}
        marks = {
            pk: GivenMark(score, self._comment(pk, clean[f"comment-{pk}"]))
            for pk, score in scores.items()
            if score is not None
        }
        check_marks(self.items, marks)
        return Given(
            marks=marks,
            comment=clean["comment"],
            staff_note=clean["staff_note"],
            flagged=clean["flagged"],
            revision=clean["revision"] or 0,
            spent_s=_spent_s(clean["opened_at"]),
            adjust_points=self._adjustment(),
            adjust_reason=clean["adjust_reason"],
        )

    def draft(self) -> Draft:
        """What was typed, as it was typed, for the page to show again."""
        typed = self.typed
        revision = typed.get("revision", "")
        return Draft(
            marks={item.pk: typed.get(f"mark-{item.pk}", "") for item in self.items},
            comments={item.pk: self._comment(item.pk, typed.get(f"comment-{item.pk}", "")) for item in self.items},
            comment=typed.get("comment", ""),
            staff_note=typed.get("staff_note", ""),
            flagged=bool(typed.get("flagged")),
            revision=int(revision) if revision.isascii() and revision.isdecimal() and len(revision) < 7 else 0,
            adjust_points=typed.get("adjust_points", ""),
            adjust_reason=typed.get("adjust_reason", ""),
        )

    def _comment(self, pk: int, typed: str) -> str:
        """The typed comment, with the saved ones that were ticked where there is no JavaScript to insert them."""
        return "\n".join(part for part in (typed, *self.typed.getlist(f"saved-{pk}")) if part.strip())

    def _adjustment(self) -> Decimal | None:
        points: Decimal | None = self.cleaned_data["adjust_points"]
        if points is None and self.cleaned_data["adjust_reason"].strip():
            raise ReviewRefused("The adjustment has a reason and no points. Give the points, or empty the reason.")
        return points

    def _sentence(self) -> str:
        name, errors = next(iter(self.errors.as_data().items()))
        label = self.fields[name].label or name
        if any(error.code == "max_length" for error in errors):
            most = getattr(self.fields[name], "max_length", LONGEST_COMMENT)
            return f"{label} is too long: please keep it below {most:,} characters."
        if isinstance(self.fields[name], forms.DecimalField):
            return f"{label} must be a number, such as 2 or 1.5."
        return f"{label} cannot be stored: {errors[0].messages[0]}"


def _spent_s(opened_at: int | None) -> int:
    """Seconds since the page was opened; a page that lay open for hours was not read for hours."""
    if not opened_at:
        return 0
    return max(0, min(int(clock.now().timestamp()) - opened_at, LONGEST_SITTING_S))
