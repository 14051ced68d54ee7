"""The form by which instructors limit submissions."""

from __future__ import annotations

from django import forms

MOST_ATTEMPTS, LONGEST_MINUTES = 1000, 24 * 60


class LimitsForm(forms.Form):
    """Attempts and minutes between two of them; an empty field is no limit."""

    max_attempts = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_ATTEMPTS,
        label="Attempts that a student has",
        help_text="Empty: as many as they like. Refused files and faults of the grader never count.",
    )
    cooldown_minutes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LONGEST_MINUTES,
        label="Minutes between two submissions",
        help_text="Empty: none. Run checks stays open meanwhile, and a refusal names the time that is left.",
    )
