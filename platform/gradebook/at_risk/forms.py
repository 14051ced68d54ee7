"""The form of the rules: an empty field turns its rule off."""

from __future__ import annotations

from typing import Any

from django import forms

from gradebook.models import AtRiskRules

FIELDS = ("score_below", "missing_in_row", "absences_beyond", "idle_days", "without_team")


def _told(least: int, most: int) -> dict[str, str]:
    sentence = f"Give a number between {least} and {most}, or nothing."
    return dict.fromkeys(
        ("invalid", "min_value", "max_value", "max_digits", "max_decimal_places", "max_whole_digits"), sentence
    )


def _number(label: str, least: int, most: int) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        label=label,
        min_value=least,
        max_value=most,
        help_text="Empty: not told.",
        error_messages=_told(least, most),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class RulesForm(forms.Form):
    """What an instructor sets; `cleaned_data` is what the service takes."""

    score_below = forms.DecimalField(
        required=False,
        label="Score so far below, %",
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        help_text="Empty: not told.",
        error_messages=_told(0, 100),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    missing_in_row = _number("Work missing in a row, from", 1, 50)
    absences_beyond = _number("Absences beyond the free ones, from", 1, 100)
    idle_days = _number("Days without activity, from", 1, 365)
    without_team = forms.BooleanField(required=False, label="No team after teams are locked")

    def __init__(self, data: Any = None, *, stored: AtRiskRules) -> None:
        initial = {name: getattr(stored, name) for name in FIELDS}
        super().__init__(data, initial=initial, auto_id="rule-%s")
