"""The form by which staff excuse a student from a part, or set its points."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from gradebook.decisions.services import REASON_MIN

LONGEST_REASON = 2000
EXCUSE, POINTS = "excuse", "points"


class DecisionForm(forms.Form):
    """`what` is to excuse, or to set points. `cleaned_data["given"]` is None to excuse, else the points and what they are out of."""

    what = forms.ChoiceField(
        choices=((EXCUSE, "Excused: it does not count"), (POINTS, "Points in place of the source")),
        label="Decision",
        initial=EXCUSE,
        widget=forms.RadioSelect,
        error_messages={"required": "Please choose one.", "invalid_choice": "Please choose one of the two."},
    )
    points = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=7,
        decimal_places=2,
        label="Points",
        error_messages={"min_value": "Points are 0 or more.", "invalid": "Please give the points as a number."},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    max_points = forms.DecimalField(
        required=False,
        min_value=Decimal("0.01"),
        max_digits=7,
        decimal_places=2,
        label="of",
        error_messages={"min_value": "It must be out of more than 0.", "invalid": "Please give a number."},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        min_length=REASON_MIN,
        max_length=LONGEST_REASON,
        label="Reason, which the student reads",
        error_messages={
            "required": "Please give a reason; the student reads it.",
            "min_length": "Please give a reason; the student reads it.",
            "max_length": "Please keep the reason below 2,000 characters.",
        },
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id="decision-%s", **options)

    def clean(self) -> dict[str, Any]:
        """Points need both numbers."""
        cleaned = super().clean() or {}
        given = (cleaned.get("points"), cleaned.get("max_points"))
        if cleaned.get("what") == POINTS and None in given and not self.errors:
            raise ValidationError("Please give the points, and what they are out of.")
        cleaned["given"] = given if cleaned.get("what") == POINTS else None
        return cleaned
