"""The forms: what becomes of two readings, a receipt's number, and marks of a calibration text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from reviews.agreement.models import Outcome
from reviews.models import RubricItem

REASON_MAX = 2000


class MarksForm(forms.Form):
    """A number an item, by the item's levels where it has some. Empty ones are for the service to refuse."""

    revision = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, items: Iterable[RubricItem], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.items = list(items)
        for item in self.items:
            self.fields[f"item-{item.pk}"] = forms.DecimalField(
                required=False,
                label=item.title,
                decimal_places=2,
                max_digits=7,
                error_messages={"invalid": f"{item.title}: please give points as a number, like 1.5."},
            )

    def marks(self) -> dict[int, Decimal]:
        """What was given, by item id."""
        given = {item.pk: self.cleaned_data.get(f"item-{item.pk}") for item in self.items}
        return {pk: score for pk, score in given.items() if score is not None}

    def bound_items(self) -> list[tuple[RubricItem, BoundField]]:
        """Each item with its field."""
        return [(item, self[f"item-{item.pk}"]) for item in self.items]

    def sentence(self) -> str:
        """The first thing that is wrong, for people."""
        return next(str(message) for errors in self.errors.values() for message in errors)


class SettleForm(MarksForm):
    """What becomes of two readings, and why."""

    outcome = forms.ChoiceField(
        choices=Outcome.choices,
        error_messages={
            "required": "Please choose what becomes of the two readings.",
            "invalid_choice": "Please choose one of the three.",
        },
    )
    reason = forms.CharField(
        required=False,
        max_length=REASON_MAX,
        error_messages={"max_length": "Please keep the reason below 2,000 characters."},
    )


class CalibrateForm(MarksForm):
    """A grader's marks of a calibration text."""

    comment = forms.CharField(
        required=False,
        max_length=REASON_MAX,
        error_messages={"max_length": "Please keep the comment below 2,000 characters."},
    )


class ChooseForm(forms.Form):
    """The number on a receipt, with or without its sign."""

    number = forms.RegexField(
        r"^\s*#?\d{1,15}\s*$",
        error_messages={
            "required": "Please give the number of a summary, as it stands on its receipt.",
            "invalid": "A receipt's number has digits alone, like #1207.",
        },
    )

    def clean_number(self) -> int:
        """As a number."""
        return int(str(self.cleaned_data["number"]).strip().lstrip("#"))
