"""The two forms: what staff made of a pair, and what everybody may quote."""

from __future__ import annotations

from django import forms

from reviews.similar.models import Status
from reviews.similar.services import QUOTABLE_MAX


class DecideForm(forms.Form):
    """A status and a note."""

    status = forms.ChoiceField(
        choices=Status.choices,
        error_messages={"required": "Please choose a status.", "invalid_choice": "Please choose one of the three."},
    )
    note = forms.CharField(
        required=False,
        max_length=4000,
        error_messages={"max_length": "Please keep the note below 4,000 characters."},
    )


class QuotableForm(forms.Form):
    """Text that counts against nobody."""

    text = forms.CharField(
        required=False,
        max_length=QUOTABLE_MAX,
        error_messages={"max_length": "Please keep the text below 20,000 characters: the abstract will do."},
    )
