"""What people fill in about teams."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from assignments.due.forms import within_reach
from assignments.due.rules import on_wall
from courses.models import Offering
from projects.teams.details import LONGEST_NAME, name_or_refusal
from projects.teams.membership import Details
from projects.teams.models import ProjectKind, Seeker, Team, TeamRules
from projects.teams.rules import TeamRefused

LONGEST_REASON, LARGEST_TEAM = 1000, 20
LONGEST_TOPIC = Team._meta.get_field("topic").max_length  # noqa: SLF001 - Django's name for a model's fields
LONGEST_POST = Seeker._meta.get_field("text").max_length  # noqa: SLF001 - the same
LAST_SECOND = time(23, 59, 59)


class TeamForm(forms.Form):
    """What a team says of itself. `details` is all of it."""

    name = forms.CharField(
        max_length=LONGEST_NAME,
        label="Name of the team",
        error_messages={"required": "Please give the team a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        required=False,
        choices=[("", "Not decided yet"), *ProjectKind.choices],
        label="Kind of project",
        error_messages={"invalid_choice": "Please choose a kind from the list."},
    )
    topic = forms.CharField(
        max_length=LONGEST_TOPIC,
        required=False,
        label="Topic",
        help_text="The project in a sentence. The board shows it while you have a free place.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, team: Team | None = None) -> None:
        initial = {"name": team.name, "kind": team.kind, "topic": team.topic} if team else {}
        super().__init__(data, auto_id="team-%s", initial=initial)

    def clean_name(self) -> str:
        """Tidied."""
        return _refused_here(self.cleaned_data["name"])

    @property
    def details(self) -> Details:
        """Of a valid form."""
        given = self.cleaned_data
        return Details(given["name"], given["kind"], " ".join(given["topic"].split()))


class InviteForm(forms.Form):
    """Whom to invite, as a name or an address."""

    who = forms.CharField(
        max_length=320,
        label="Name or e-mail address of a classmate",
        error_messages={"required": "Please say whom to invite."},
        widget=forms.TextInput(attrs={"list": "classmates", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="invite-%s")


class PostForm(forms.Form):
    """What a student without a team looks for."""

    text = forms.CharField(
        max_length=LONGEST_POST,
        label="What you look for",
        help_text="What you would like to do, what you bring, when you can meet. Your classmates read it beside your name.",
        error_messages={"required": "Please say in a sentence what you look for."},
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, data: Any = None, *, post: Seeker | None = None) -> None:
        super().__init__(data, auto_id="post-%s", initial={"text": post.text} if post else {})


class RulesForm(forms.Form):
    """Sizes and lock date. Day and time are the offering's; without a day there is no lock."""

    smallest = forms.IntegerField(min_value=1, max_value=LARGEST_TEAM, label="Smallest team")
    largest = forms.IntegerField(min_value=1, max_value=LARGEST_TEAM, label="Largest team")
    lock_on = forms.DateField(
        required=False,
        validators=[within_reach],
        label="Last day on which students change teams",
        help_text="Empty: they may change them all term.",
        error_messages={"invalid": "Please give the day as year-month-day, such as 2026-02-20."},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    lock_time = forms.TimeField(
        required=False,
        label="Last second that counts",
        error_messages={"invalid": "Please give the time as hours:minutes:seconds, such as 23:59:59."},
        widget=forms.TimeInput(attrs={"type": "time", "step": "1"}, format="%H:%M:%S"),
    )

    def __init__(self, data: Any = None, *, offering: Offering, rules: TeamRules) -> None:
        self.offering = offering
        lock = rules.lock_at.astimezone(offering.zone) if rules.lock_at else None
        initial = {
            "smallest": rules.smallest,
            "largest": rules.largest,
            "lock_on": lock.date() if lock else None,
            "lock_time": lock.time() if lock else LAST_SECOND,
        }
        super().__init__(data, auto_id="rules-%s", initial=initial)

    def clean(self) -> dict[str, Any]:
        """The sizes in order; the lock as a moment."""
        cleaned = super().clean() or {}
        smallest, largest = cleaned.get("smallest"), cleaned.get("largest")
        if smallest and largest and smallest > largest:
            self.add_error("largest", f"The largest team cannot be smaller than the smallest, {smallest}.")
        cleaned["lock_at"] = self._moment(cleaned)
        return cleaned

    def _moment(self, cleaned: dict[str, Any]) -> datetime | None:
        day = cleaned.get("lock_on")
        if day is None:
            return None
        return on_wall(datetime.combine(day, cleaned.get("lock_time") or LAST_SECOND), self.offering.zone)


class ReasonForm(forms.Form):
    """Why staff did something; it may stay empty."""

    reason = forms.CharField(
        required=False,
        max_length=LONGEST_REASON,
        error_messages={"max_length": "Please keep the reason below 1,000 characters."},
    )


def _refused_here(text: str) -> str:
    try:
        return name_or_refusal(text)
    except TeamRefused as refusal:
        raise ValidationError(str(refusal)) from refusal
