"""The forms of the presentation hour: rules, plan, ratings, and what becomes of comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Q
from django.http import QueryDict

from courses.models import Enrollment, Offering, Session
from projects.presentations.models import (
    LONGEST_COMMENT,
    LONGEST_STAFF_COMMENT,
    Criterion,
    Moderation,
    PresentationRules,
    Rating,
    StaffRating,
    Talk,
)
from projects.presentations.planning import NewRules
from projects.presentations.rating import marks_of
from projects.teams.models import Team

LONGEST_MINUTES = 240


def number(label: str, low: int, high: int, help_text: str = "") -> forms.IntegerField:
    """A whole number between two others."""
    told = f"Please give a whole number from {low} to {high}."
    errors = dict.fromkeys(("required", "invalid", "min_value", "max_value"), told)
    return forms.IntegerField(label=label, min_value=low, max_value=high, error_messages=errors, help_text=help_text)


class RulesForm(forms.Form):
    """How talks are held and scored. `new` is what the service takes."""

    talk_minutes = number("Minutes for a talk", 1, LONGEST_MINUTES)
    question_minutes = number("Minutes for questions", 0, LONGEST_MINUTES)
    first_talk = forms.TimeField(
        label="First talk of a session at",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={
            "required": "Please say when the first talk of a session begins.",
            "invalid": "Please give the time as hours:minutes, such as 15:30.",
        },
    )
    staff_share = number("Staff's part of the score, in percent", 0, 100, "Classmates make the rest.")
    scale = number("Highest mark", 2, 10, "Marks go from 1 to this one, for staff and classmates alike.")

    def __init__(self, data: Any = None, *, rules: PresentationRules) -> None:
        initial = {name: getattr(rules, name) for name in self.base_fields}
        super().__init__(data, initial=initial, auto_id="rules-%s")

    @property
    def new(self) -> NewRules:
        """As it was typed. Of a valid form."""
        return NewRules(**self.cleaned_data)


class SessionsForm(forms.Form):
    """Sessions to fill with talks."""

    sessions = forms.TypedMultipleChoiceField(
        coerce=int,
        required=False,
        label="Sessions",
        error_messages={"invalid_choice": "One of these sessions is not on the schedule any more. Choose again."},
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: Any = None, *, sessions: Sequence[Session], chosen: Sequence[int] = ()) -> None:
        super().__init__(data, initial={"sessions": list(chosen)}, auto_id="fill-%s")
        self.known = {session.pk: session for session in sessions}
        field = self.fields["sessions"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(pk, session_label(session)) for pk, session in self.known.items()]

    @property
    def chosen(self) -> list[Session]:
        """Of a valid form."""
        return [self.known[pk] for pk in self.cleaned_data["sessions"]]


class SessionForm(forms.Form):
    """One session of the offering."""

    session = forms.TypedChoiceField(
        coerce=int,
        label="Session",
        error_messages={"required": "Please choose a session.", "invalid_choice": "Please choose a session."},
    )

    def __init__(self, data: Any = None, *, offering: Offering, **options: Any) -> None:
        super().__init__(data, **options)
        self.known = {row.pk: row for row in offering.sessions.order_by("-date", "-number")}
        field = self.fields["session"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(pk, session_label(session)) for pk, session in self.known.items()]

    def clean_session(self) -> Session:
        """The session itself."""
        return self.known[self.cleaned_data["session"]]


class AddTalkForm(SessionForm):
    """One more talk, of any team; practice or one that counts."""

    team: forms.ModelChoiceField[Team] = forms.ModelChoiceField(
        queryset=Team.objects.none(),
        empty_label="Choose one",
        error_messages={"required": "Please choose a team.", "invalid_choice": "Please choose a team."},
    )
    practice = forms.BooleanField(required=False, label="Practice: it is rated, and counts for nobody")
    field_order = ("team", "session", "practice")

    def __init__(self, data: Any = None, *, offering: Offering) -> None:
        super().__init__(data, offering=offering, auto_id="add-%s")
        field = self.fields["team"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Team.objects.standing().filter(offering=offering)


class RevisedForm(forms.Form):
    """A form that is filled from what was saved. `revision` is that of the saved answers; 0 without any."""

    revision = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)

    def clean_revision(self) -> int:
        """Whoever sends none has seen none."""
        return self.cleaned_data["revision"] or 0

    def revised(self, revision: int) -> None:
        """Carry another revision than the one that was sent."""
        self.data = {**self.data.dict(), "revision": revision} if isinstance(self.data, QueryDict) else self.data

    @property
    def shown_revision(self) -> int:
        """What the form carries now."""
        value = str(self["revision"].value())
        return int(value) if value.isdecimal() and len(value) < 10 else 0


class RatingForm(RevisedForm):
    """What a classmate says."""

    score = forms.TypedChoiceField(
        coerce=int,
        label="Did you learn something?",
        widget=forms.RadioSelect,
        error_messages={
            "required": "Please tap one of the numbers first.",
            "invalid_choice": "Please tap one of the numbers.",
        },
    )
    comment = forms.CharField(
        required=False,
        max_length=LONGEST_COMMENT,
        label="A word to the team, if you like",
        error_messages={
            "max_length": f"Please keep the comment below {LONGEST_COMMENT:,} characters. It is still here."
        },
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, rules: PresentationRules, stored: Rating | None = None) -> None:
        initial = (
            {"score": stored.score, "comment": stored.comment, "revision": stored.revision}
            if stored
            else {"revision": 0}
        )
        super().__init__(data, initial=initial, auto_id="rating-%s")
        field = self.fields["score"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(mark, str(mark)) for mark in rules.marks]


class StaffRatingForm(RevisedForm):
    """The five criteria, and a comment. `marks` is what the service takes."""

    comment = forms.CharField(
        required=False,
        max_length=LONGEST_STAFF_COMMENT,
        label="Comment, which the team reads with its score",
        error_messages={
            "max_length": f"Please keep the comment below {LONGEST_STAFF_COMMENT:,} characters. It is still here."
        },
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, rules: PresentationRules, stored: StaffRating | None = None) -> None:
        initial: dict[str, Any] = {"revision": 0}
        if stored is not None:
            initial = {"comment": stored.comment, "revision": stored.revision, **marks_of(stored)}
        super().__init__(data, initial=initial, auto_id="rating-%s")
        for name, label in Criterion.choices:
            self.fields[name] = forms.TypedChoiceField(
                coerce=int,
                label=str(label),
                choices=[(mark, str(mark)) for mark in rules.marks],
                widget=forms.RadioSelect,
                error_messages={
                    "required": f"Please give a mark for {str(label).lower()}.",
                    "invalid_choice": "Please tap a number.",
                },
            )
        self.order_fields([*Criterion.values, "comment"])

    @property
    def marks(self) -> dict[str, int]:
        """By criterion. Of a valid form."""
        return {name: self.cleaned_data[name] for name in Criterion.values}

    @property
    def criteria(self) -> list[forms.BoundField]:
        """The five fields."""
        return [self[name] for name in Criterion.values]


class ModerationForm(forms.Form):
    """What becomes of a comment, as it was read."""

    decision = forms.ChoiceField(choices=Moderation.choices)
    revision = forms.IntegerField(min_value=1)


class SpeakerForm(forms.Form):
    """A student to be made a speaker, or not any more."""

    enrollment: forms.ModelChoiceField[Enrollment] = forms.ModelChoiceField(
        queryset=Enrollment.objects.none(),
        error_messages={"required": "Please choose a student.", "invalid_choice": "Please choose a student."},
    )
    act = forms.ChoiceField(choices=[("add", "Add"), ("remove", "Remove")])

    def __init__(self, data: Any = None, *, talk: Talk) -> None:
        super().__init__(data)
        field = self.fields["enrollment"]
        assert isinstance(field, forms.ModelChoiceField)
        # a speaker who dropped since can still be taken off
        wanted = Q(role="student", dropped_at=None) | Q(pk__in=talk.speakers.order_by().values("enrollment"))
        field.queryset = Enrollment.objects.filter(wanted, offering=talk.offering_id).select_related("user", "offering")


def session_label(session: Session) -> str:
    return f"{session.date:%a} {session.date.day} {session.date:%b}: {session.topic}"
