"""The forms by which staff grant extensions and accommodations, to one student or to many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from assignments.due.models import LONGEST_TEXT
from assignments.due.rules import ExtraTime, Unit, on_wall
from assignments.models import Assignment, Kind
from courses.models import Enrollment, Offering

MOST_LINES, MOST_DAYS = 1000, 365
FIRST_YEAR, LAST_YEAR = 2000, 2100
PER_DAY = {Unit.DAYS: 1, Unit.HOURS: 24, Unit.MINUTES: 24 * 60}


def within_reach(day: date) -> None:
    """For a day or a moment: raise `ValidationError` for a year in which nothing is due, such as one that was typed wrong."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(f"That year is out of reach. Please choose one from {FIRST_YEAR} to {LAST_YEAR}.")


class StudentsForm(forms.Form):
    """Who: chosen from the list, or pasted as lines of e-mail addresses, or both. `cleaned_data["enrollments"]` is everyone named."""

    students = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        label="Students",
        help_text="Hold Ctrl or ⌘ to choose several.",
        error_messages={"invalid_choice": "One of the chosen students is not in this offering any more. Choose again."},
        widget=forms.SelectMultiple(attrs={"size": 7}),
    )
    addresses = forms.CharField(
        required=False,
        max_length=100_000,
        strip=False,  # lines are told by their numbers
        label="Or their e-mail addresses, one a line",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        max_length=LONGEST_TEXT,
        label="Reason, for staff alone",
        error_messages={
            "required": "Please give a reason; staff read it, the student does not.",
            "max_length": "Please keep the reason below 2,000 characters.",
        },
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, data: Any = None, *, offering: Offering, students: Sequence[Enrollment], **options: Any) -> None:
        super().__init__(data, auto_id=f"{self.prefix_of_ids}-%s", **options)
        self.offering = offering
        self.known = {student.pk: student for student in students}
        field = self.fields["students"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(pk, f"{row.user.sort_name} ({row.user.email})") for pk, row in self.known.items()]

    prefix_of_ids = "students"
    nothing_done = "Nothing was granted."

    def clean_addresses(self) -> list[Enrollment]:
        """The students whose addresses were pasted; every line that names none is told."""
        by_email = {student.user.email.lower(): student for student in self.known.values()}
        lines = [
            (number, line.strip())
            for number, line in enumerate(self.cleaned_data["addresses"].splitlines(), start=1)
            if line.strip()
        ]
        if len(lines) > MOST_LINES:
            raise ValidationError(f"That is more than {MOST_LINES} lines. Please paste fewer at once.")
        unknown = [f"line {number}: {line[:80]}" for number, line in lines if line.lower() not in by_email]
        if unknown:
            raise ValidationError(
                f"{len(unknown)} {'line names' if len(unknown) == 1 else 'lines name'} no student of this offering: "
                f"{'; '.join(unknown)}. {self.nothing_done} Correct or remove {'it' if len(unknown) == 1 else 'them'}."
            )
        return [by_email[line.lower()] for _, line in lines]

    def clean(self) -> dict[str, Any]:
        """Join both ways of naming students."""
        cleaned = super().clean() or {}
        chosen = [self.known[pk] for pk in cleaned.get("students", [])]
        named = {student.pk: student for student in (*chosen, *cleaned.get("addresses", []))}
        if not named and not self.errors:
            raise ValidationError("Please choose at least one student, or paste an address.")
        cleaned["enrollments"] = list(named.values())
        return cleaned


class ExtensionForm(StudentsForm):
    """A later date for one assignment. `cleaned_data["due_at"]` is the moment; its day and time are the offering's."""

    prefix_of_ids = "extension"
    assignment = forms.TypedChoiceField(
        coerce=int,
        label="Assignment",
        error_messages={"required": "Please choose an assignment.", "invalid_choice": "Please choose an assignment."},
    )
    due_on = forms.DateField(
        label="New due day",
        validators=[within_reach],
        error_messages={
            "required": "Please give the new due day.",
            "invalid": "Please give the day as year-month-day, such as 2026-02-06.",
        },
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    due_time = forms.TimeField(
        label="Last second that counts",
        initial="23:59:59",
        error_messages={
            "required": "Please give the time.",
            "invalid": "Please give the time as hours:minutes:seconds, such as 23:59:59.",
        },
        widget=forms.TimeInput(attrs={"type": "time", "step": "1"}, format="%H:%M:%S"),
    )
    field_order = ("assignment", "due_on", "due_time", "students", "addresses", "reason")

    def __init__(self, data: Any = None, *, assignments: Sequence[Assignment], **options: Any) -> None:
        super().__init__(data, **options)
        self.assignments = {assignment.pk: assignment for assignment in assignments}
        field = self.fields["assignment"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", "Choose one"), *((pk, row.label) for pk, row in self.assignments.items())]

    def clean_assignment(self) -> Assignment:
        """The assignment itself."""
        return self.assignments[self.cleaned_data["assignment"]]

    def clean(self) -> dict[str, Any]:
        """Read day and time by the clocks of the offering."""
        cleaned = super().clean()
        day, time = cleaned.get("due_on"), cleaned.get("due_time")
        if day and time:
            cleaned["due_at"] = on_wall(datetime.combine(day, time.replace(microsecond=0)), self.offering.zone)
        return cleaned


class AccommodationForm(StudentsForm):
    """Standing extra time. `cleaned_data["time"]` is what the rules read."""

    prefix_of_ids = "accommodation"
    amount = forms.IntegerField(
        min_value=1,
        label="Extra time",
        error_messages={
            "required": "Please give the extra time as a number.",
            "invalid": "Please give the extra time as a whole number.",
            "min_value": "Extra time is at least 1.",
        },
    )
    unit = forms.ChoiceField(
        choices=[(unit.value, unit.value) for unit in (Unit.DAYS, Unit.HOURS, Unit.MINUTES)],
        label="Unit",
        help_text="Days keep the time of day when the clocks change; hours and minutes are real ones.",
        error_messages={"required": "Please choose days, hours or minutes.", "invalid_choice": "Please choose a unit."},
    )
    kinds = forms.MultipleChoiceField(
        required=False,
        choices=[(kind.value, f"{kind.label}s") for kind in Kind],
        label="Only for",
        help_text="None ticked: for all work.",
        error_messages={"invalid_choice": "Please choose among labs, readings and deliverables."},
        widget=forms.CheckboxSelectMultiple,
    )
    first_on = forms.DateField(
        required=False,
        label="For work due from",
        error_messages={"invalid": "Please give the day as year-month-day, such as 2026-02-06."},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    last_on = forms.DateField(
        required=False,
        label="until, this day included",
        help_text="Empty: the whole term.",
        error_messages={"invalid": "Please give the day as year-month-day, such as 2026-02-06."},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    field_order = ("amount", "unit", "kinds", "first_on", "last_on", "students", "addresses", "reason")

    def clean(self) -> dict[str, Any]:
        """Put the extra time together."""
        cleaned = super().clean()
        if not {"amount", "unit", "kinds", "first_on", "last_on"} <= set(cleaned):
            return cleaned
        unit, first, last = Unit(cleaned["unit"]), cleaned["first_on"], cleaned["last_on"]
        if cleaned["amount"] > MOST_DAYS * PER_DAY[unit] or cleaned["amount"] > 32_000:
            raise ValidationError("That is more extra time than a course lasts. Please check the number.")
        if first and last and last < first:
            raise ValidationError("The last day lies before the first one. Please check both.")
        cleaned["time"] = ExtraTime(cleaned["amount"], unit, frozenset(cleaned["kinds"]), first, last)
        return cleaned


class RevokeForm(forms.Form):
    """Why; the student reads it. Empty or too short is for the service to refuse."""

    reason = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        error_messages={"max_length": "Please keep the reason below 2,000 characters."},
    )
