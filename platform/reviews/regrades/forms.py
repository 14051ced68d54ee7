"""The two forms: what runs again, and why it counts."""

from __future__ import annotations

from django import forms

from reviews.regrades.models import Scope


class StartForm(forms.Form):
    """Which attempts run again."""

    scope = forms.ChoiceField(
        choices=Scope.choices,
        error_messages={
            "required": "Please choose which attempts run again.",
            "invalid_choice": "Please choose one of the two.",
        },
    )


class ReasonForm(forms.Form):
    """Why; students read it. Empty or too short is for the service to refuse."""

    reason = forms.CharField(
        required=False, max_length=2000, error_messages={"max_length": "Please keep the reason below 2,000 characters."}
    )
