"""The form by which staff set a score."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from reviews.models import RubricItem
from reviews.services import OverrideRefused, check_override


class OverrideForm(forms.Form):
    """A score with its reason; or `withdraw`, to go back to the automatic score."""

    score = forms.DecimalField(
        required=False,
        max_digits=7,
        decimal_places=2,
        error_messages={"invalid": "The score must be a number, such as 12 or 12.5."},
    )
    reason = forms.CharField(required=False, max_length=2000)
    withdraw = forms.BooleanField(required=False)

    def __init__(self, data: Any, *, item: RubricItem) -> None:
        super().__init__(data)
        self.item = item

    def clean(self) -> dict[str, Any]:
        """Hold the score to the item's range, and ask for a reason."""
        cleaned = super().clean() or {}
        if cleaned.get("withdraw") or self.errors:
            return cleaned
        score: Decimal | None = cleaned.get("score")
        if score is None:
            raise ValidationError("Please give a score.")
        try:
            check_override(item=self.item, score=score, reason=cleaned.get("reason", ""))
        except OverrideRefused as refusal:
            raise ValidationError(str(refusal)) from refusal
        return cleaned

    def sentence(self) -> str:
        """The first thing that is wrong, for people; empty when nothing is."""
        return next((str(message) for errors in self.errors.values() for message in errors), "")
