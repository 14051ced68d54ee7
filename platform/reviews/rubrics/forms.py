"""The small forms: a file or another rubric to begin from, a reason, a comment, an adjustment."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from reviews.rubrics.files import LARGEST_BYTES, RubricFileRefused, from_file
from reviews.rubrics.spec import RubricSpec


class FileForm(forms.Form):
    """A rubric's file; `cleaned_data["file"]` is what it says."""

    file = forms.FileField(
        error_messages={
            "required": "Please choose the .json file of a rubric.",
            "empty": "This file is empty. Choose the .json file of a rubric.",
        }
    )

    def clean_file(self) -> RubricSpec:
        """Read it; what is wrong with it is a sentence."""
        upload = self.cleaned_data["file"]
        if upload.size > LARGEST_BYTES:
            raise ValidationError("This file is larger than any rubric. Choose the .json file of one.")
        try:
            return from_file(upload.read())
        except RubricFileRefused as refusal:
            raise ValidationError(str(refusal)) from refusal


class SaveForm(forms.Form):
    """What the dry run's buttons send: whether to re-apply, why, and the digest of what was shown."""

    reapply = forms.BooleanField(required=False)
    reason = forms.CharField(
        required=False, max_length=2000, error_messages={"max_length": "Please keep the reason below 2,000 characters."}
    )
    seen = forms.CharField(required=False, max_length=200)


class AdjustmentForm(forms.Form):
    """Points and why. Too many points and too short a reason are for the service to refuse."""

    points = forms.DecimalField(
        max_digits=7,
        decimal_places=2,
        error_messages={
            "required": "Please say how many points, such as 1 or -0.5.",
            "invalid": "Points are a number, such as 1 or -0.5.",
        },
    )
    reason = forms.CharField(
        required=False, max_length=2000, error_messages={"max_length": "Please keep the reason below 2,000 characters."}
    )


def typed_text(data: Any, name: str) -> str:
    """A field as it was typed, to show it again."""
    return str(data.get(name, ""))
