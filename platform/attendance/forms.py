"""The forms of attendance: a check-in, a correction of many cells, points, and the rule."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.formats import date_format

from assignments.due.forms import StudentsForm
from attendance.models import Presence
from attendance.records import REASON_MAX
from attendance.rules import WantedRules
from courses.models import Enrollment, Session

MOST_LINES = 1000
REASON_HELP = "The student reads it, and the log keeps it."
NO_RECORD = "none"


def reason_field(*, label: str = "Reason", required: bool = True, rows: int = 2) -> forms.CharField:
    """A reason that somebody will read."""
    return forms.CharField(
        required=required,
        max_length=REASON_MAX,
        label=label,
        help_text=REASON_HELP,
        error_messages={
            "required": "Please give a reason; the student reads it.",
            "max_length": "Please keep the reason below 2,000 characters.",
        },
        widget=forms.Textarea(attrs={"rows": rows}),
    )


class CheckInForm(forms.Form):
    """The code from the screen, as it was typed."""

    code = forms.CharField(
        max_length=60,
        error_messages={
            "required": "Please type the code that is on the screen.",
            "max_length": "That is much longer than a code. Please type the six letters that are on the screen.",
        },
    )


class MinutesForm(forms.Form):
    """For how many minutes a check-in is opened or extended; how many are too many is for the service to say."""

    minutes = forms.IntegerField(
        min_value=1,
        max_value=100_000,
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), "Please give the minutes as a whole number, such as 10."
        ),
    )


class ReasonForm(forms.Form):
    """Why; empty or too short is for the service to refuse."""

    reason = reason_field(required=False)


class CorrectionForm(StudentsForm):
    """Which students in which sessions are what. `cleaned_data` has `enrollments`, `sessions`, `presence` and `reason`."""

    sessions = forms.TypedMultipleChoiceField(
        coerce=int,
        label="Sessions",
        help_text="Hold Ctrl or ⌘ to choose several.",
        error_messages={
            "required": "Please choose at least one session.",
            "invalid_choice": "One of the chosen sessions is not in this offering any more. Choose again.",
        },
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )
    presence = forms.ChoiceField(
        choices=[*Presence.choices, (NO_RECORD, "Nothing recorded")],
        label="Record them as",
        help_text="Nothing recorded: absent, once attendance is taken.",
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Please choose present, absent or excused."),
    )
    reason = reason_field()

    field_order = ("sessions", "students", "addresses", "presence", "reason")
    prefix_of_ids = "correct"
    nothing_done = "Nothing was recorded."

    def __init__(self, data: Any = None, *, sessions: Sequence[Session], **options: Any) -> None:
        super().__init__(data, **options)
        self.terms = {session.pk: session for session in sessions}
        field = self.fields["sessions"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(pk, f"{day(row)}: {row.topic}") for pk, row in self.terms.items()]

    def clean(self) -> dict[str, Any]:
        """What the chosen sessions and presence stand for."""
        cleaned = super().clean()
        cleaned["sessions"] = [self.terms[pk] for pk in cleaned.get("sessions", [])]
        typed = cleaned.get("presence")
        cleaned["presence"] = None if typed == NO_RECORD or typed is None else Presence(typed)
        return cleaned


class PointsForm(forms.Form):
    """Points for one student. `cleaned_data["student"]` is the enrollment."""

    student = forms.TypedChoiceField(
        coerce=int,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), "That student is not in this offering any more. Find another name."
        ),
    )
    points = forms.DecimalField(
        max_digits=6,
        decimal_places=2,
        min_value=Decimal("0.01"),
        label="Points",
        initial=1,
        error_messages={
            **dict.fromkeys(("required", "invalid"), "Please give the points as a number, such as 1 or 0.5."),
            "min_value": "Points are more than 0. To take points back, withdraw them.",
            **dict.fromkeys(
                ("max_digits", "max_whole_digits", "max_decimal_places"),
                "Please give the points with at most two decimals, and at most 100.",
            ),
        },
        widget=forms.NumberInput(attrs={"step": "any", "max": "100"}),  # a step would count from the smallest value
    )
    reason = forms.CharField(
        max_length=300,
        label="Reason",
        initial="Took part in class",
        error_messages={
            "required": "Please give a reason; the student reads it.",
            "max_length": "Please keep the reason below 300 characters.",
        },
    )

    def __init__(self, data: Any = None, *, students: Sequence[Enrollment], **options: Any) -> None:
        super().__init__(data, auto_id="points-%s", **options)
        self.known = {student.pk: student for student in students}
        field = self.fields["student"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(pk, row.user.name) for pk, row in self.known.items()]

    def clean_student(self) -> Enrollment:
        """The student themselves."""
        return self.known[self.cleaned_data["student"]]


class RulesForm(forms.Form):
    """The rule as the instructor types it. `wanted` is what is meant."""

    free_absences = forms.IntegerField(
        min_value=0,
        max_value=100,
        label="Free absences",
        help_text="How many absences cost nothing.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), "Free absences are a whole number from 0 to 100."
        ),
    )
    participation_share = forms.IntegerField(
        min_value=0,
        max_value=100,
        label="Participation’s part, in percent",
        help_text="Attendance makes the rest. 0: points count for nothing.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), "The part is a whole number of percent from 0 to 100."
        ),
    )
    participation_target = forms.DecimalField(
        max_digits=6,
        decimal_places=2,
        min_value=Decimal("0.01"),
        label="Points for the whole of that part",
        help_text="More points give no more.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_digits", "max_whole_digits", "max_decimal_places"),
            "The target is a number above 0 and below 10,000, with at most two decimals.",
        ),
    )
    code_every_s = forms.IntegerField(
        min_value=5,
        max_value=600,
        label="A code lasts, in seconds",
        help_text="For check-ins that are opened from now on. A code is taken until the one after it has gone, too.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), "A code lasts a whole number of seconds from 5 to 600."
        ),
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id="rules-%s", **options)

    @property
    def wanted(self) -> WantedRules:
        """The rules of a valid form."""
        return WantedRules(**self.cleaned_data)


class SaveRulesForm(RulesForm):
    """The same, as the dry run's button sends it."""

    reason = reason_field(required=False)
    seen = forms.CharField(required=False, max_length=64)

    @property
    def wanted(self) -> WantedRules:
        """The rules of a valid form, without what the button adds."""
        return WantedRules(**{name: self.cleaned_data[name] for name in RulesForm.base_fields})


def day(session: Session) -> str:
    """A session's day: `Thu 29 Jan`."""
    return date_format(session.date, "D j M")


def read(form: forms.Form, name: str, refusal: type[Exception]) -> Any:
    """The field's value of a form with one field; raises `refusal` with the form's sentence where it is not valid."""
    if not form.is_valid():
        raise refusal(str(next(iter(form.errors.values()))[0]))
    return form.cleaned_data[name]
