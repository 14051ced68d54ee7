"""The form of a copy: what the new offering is, and, once they are shown, all of its dates. Both travel in one HTML form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from courses.models import Enrollment, Offering
from exchange.copying.shift import Break
from exchange.copying.spec import Dates, Frame, Source

BREAKS = 5
LONGEST = timedelta(days=366)
DAY, MOMENT = "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"


class DayInput(forms.DateInput):
    """The browser's own field for a day."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format=DAY)


class MomentInput(forms.DateTimeInput):
    """The browser's own field for a day and a time, to the second."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format=MOMENT, attrs={"step": 1})


class FrameForm(forms.Form):
    """The new offering itself, and the staff who come along."""

    term = forms.CharField(label="Term", max_length=60, help_text="As in “Fall 2026”.")
    slug = forms.SlugField(
        label="Address", max_length=50, help_text="Short, in lower case, as in cs498-fa26; it stays in every link."
    )
    starts_on = forms.DateField(label="First class day", widget=DayInput())
    ends_on = forms.DateField(label="Last day", widget=DayInput())
    room = forms.CharField(label="Room", max_length=200, required=False)
    meets = forms.CharField(label="Meets", max_length=200, required=False)
    staff = forms.ModelMultipleChoiceField(
        label="Staff who come along",
        queryset=Enrollment.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, viewer: Enrollment) -> None:
        offering = viewer.offering
        super().__init__(data, initial={"room": offering.room, "meets": offering.meets})
        others = offering.enrollments.staff().exclude(pk=viewer.pk).select_related("user").order_by("user__sort_name")
        staff: Any = self.fields["staff"]
        staff.queryset = others
        staff.label_from_instance = lambda person: f"{person.user.name}, {person.get_role_display()}"
        for number in range(BREAKS):
            self.fields[f"break_{number}_name"] = forms.CharField(label="Break", max_length=80, required=False)
            self.fields[f"break_{number}_from"] = forms.DateField(label="First day", widget=DayInput(), required=False)
            self.fields[f"break_{number}_to"] = forms.DateField(label="Last day", widget=DayInput(), required=False)

    def break_rows(self) -> Iterator[tuple[forms.BoundField, forms.BoundField, forms.BoundField]]:
        """The fields of each break."""
        for number in range(BREAKS):
            yield self[f"break_{number}_name"], self[f"break_{number}_from"], self[f"break_{number}_to"]

    @property
    def uses_more_breaks(self) -> bool:
        """Whether one of the breaks that are folded away was filled in, or is wrong."""
        return any(field.value() or field.errors for row in list(self.break_rows())[2:] for field in row)

    def clean_slug(self) -> str:
        """An address that is free."""
        slug: str = self.cleaned_data["slug"].lower()
        if Offering.objects.filter(slug=slug).exists():
            raise ValidationError("Another offering has this address. Choose one that is free.")
        return slug

    def clean(self) -> dict[str, Any]:
        """Days in order, and breaks that are whole."""
        cleaned: dict[str, Any] = super().clean() or {}
        starts_on, ends_on = cleaned.get("starts_on"), cleaned.get("ends_on")
        if starts_on and ends_on and not timedelta(0) < ends_on - starts_on <= LONGEST:
            self.add_error("ends_on", "The last day comes after the first one, within a year.")
        cleaned["breaks"] = tuple(self._breaks(cleaned))
        return cleaned

    def _breaks(self, cleaned: dict[str, Any]) -> Iterator[Break]:
        named: set[str] = set()
        for number in range(BREAKS):
            parts = [cleaned.get(f"break_{number}_{part}") for part in ("name", "from", "to")]
            if not any(parts):
                continue
            name, first, last = parts
            field = f"break_{number}_name"
            if not (name and first and last):
                self.add_error(field, "A break needs a name, a first and a last day.")
            elif not timedelta(0) <= last - first <= timedelta(days=40):
                self.add_error(field, "The last day of a break is its first one or comes after it, within 40 days.")
            elif name in named:
                self.add_error(field, "Two breaks have this name.")
            else:
                named.add(name)
                yield Break(name, first, last)

    def frame(self) -> Frame:
        """What was typed, once it is valid."""
        cleaned = self.cleaned_data
        return Frame(
            slug=cleaned["slug"],
            term=cleaned["term"],
            starts_on=cleaned["starts_on"],
            ends_on=cleaned["ends_on"],
            room=cleaned["room"],
            meets=cleaned["meets"],
            breaks=cleaned["breaks"],
            staff=tuple(person.pk for person in cleaned["staff"]),
        )


class DatesForm(forms.Form):
    """A field a date. Moments are those of the offering's zone, which must be the active one."""

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, source: Source, suggested: Dates | None = None
    ) -> None:
        super().__init__(data, initial=_initial(source, suggested) if suggested else None)
        self.source = source
        for session in source.sessions:
            self.fields[f"session_{session.pk}"] = forms.DateField(label=f"Day of {session.topic}", widget=DayInput())
        for assignment in source.assignments:
            for name, word in (("opens", "opens"), ("due", "is due")):
                label = f"When {assignment.label} {word}"
                self.fields[f"{name}_{assignment.pk}"] = _moment_field(label)
        if source.teams_lock_at:
            self.fields["teams_lock"] = _moment_field("When teams lock")

    def clean(self) -> dict[str, Any]:
        """Due comes after open."""
        cleaned: dict[str, Any] = super().clean() or {}
        for assignment in self.source.assignments:
            opens, due = cleaned.get(f"opens_{assignment.pk}"), cleaned.get(f"due_{assignment.pk}")
            if opens and due and due <= opens:
                self.add_error(f"due_{assignment.pk}", "It is due before it opens. Move one of the two.")
        return cleaned

    def dates(self) -> Dates:
        """What was typed, once it is valid."""
        cleaned = self.cleaned_data
        return Dates(
            sessions={row.pk: cleaned[f"session_{row.pk}"] for row in self.source.sessions},
            assignments={
                row.pk: (cleaned[f"opens_{row.pk}"], cleaned[f"due_{row.pk}"]) for row in self.source.assignments
            },
            teams_lock_at=cleaned.get("teams_lock"),
        )


def _moment_field(label: str) -> forms.DateTimeField:
    return forms.DateTimeField(label=label, widget=MomentInput(), input_formats=[MOMENT, "%Y-%m-%dT%H:%M"])


def _initial(source: Source, dates: Dates) -> dict[str, date | datetime]:
    found: dict[str, date | datetime] = {f"session_{pk}": day for pk, day in dates.sessions.items()}
    for pk, (opens, due) in dates.assignments.items():
        found |= {f"opens_{pk}": timezone.localtime(opens), f"due_{pk}": timezone.localtime(due)}
    if dates.teams_lock_at and source.teams_lock_at:
        found["teams_lock"] = timezone.localtime(dates.teams_lock_at)
    return found
