"""The form by which instructors describe a deliverable. Its moments are read in the offering's zone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django import forms
from django.utils import timezone

from assignments.due.forms import within_reach
from courses.models import Offering
from projects.deliverables.keeping import Description
from projects.deliverables.models import Stage, Style

INSTRUCTIONS_MAX, PAGES_MAX = 20_000, 200


class _Moment(forms.DateTimeInput):
    """The browser's own field for a moment, to the second."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"step": "1"}, format="%Y-%m-%dT%H:%M:%S")


class DeliverableForm(forms.Form):
    """All that a deliverable asks for."""

    stage = forms.ChoiceField(choices=Stage.choices, help_text="It also says which part of the grade it makes.")
    title = forms.CharField(max_length=200, error_messages={"required": "Please give the deliverable a title."})
    opens_at = forms.DateTimeField(
        label="Opens", widget=_Moment, validators=[within_reach], help_text="Students see it from then on."
    )
    due_at = forms.DateTimeField(
        label="Due", widget=_Moment, validators=[within_reach], help_text="The last second that is on time."
    )
    style = forms.ChoiceField(
        choices=Style.choices, help_text="What the PDF is held against. That advises; staff decide."
    )
    pages_from = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=PAGES_MAX,
        label="Pages from",
        help_text="Without references and appendix. Empty: no limit.",
    )
    pages_to = forms.IntegerField(required=False, min_value=1, max_value=PAGES_MAX, label="to")
    instructions = forms.CharField(
        required=False,
        max_length=INSTRUCTIONS_MAX,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text="Markdown, and maths between dollars. Students read it.",
    )

    def __init__(self, offering: Offering, data: Any = None, *, about: Description, keeps_stage: bool = False) -> None:
        super().__init__(data, initial=asdict(about))
        self.offering, self._stage = offering, about.stage
        if keeps_stage:
            self.fields["stage"].disabled = True
            self.fields["stage"].help_text = "It stays as it is: something was handed in."

    def full_clean(self) -> None:
        """Read moments by the clock on the offering's wall."""
        with timezone.override(self.offering.zone):
            super().full_clean()

    def clean_title(self) -> str:
        """One line."""
        return " ".join(self.cleaned_data["title"].split())

    def clean_instructions(self) -> str:
        """Plain line ends, and nothing that a database does not store."""
        text: str = self.cleaned_data["instructions"]
        return text.replace("\r\n", "\n").replace("\0", "").strip()

    def clean(self) -> dict[str, Any]:
        """It opens before it is due, and its limits are in order."""
        opens_at, due_at = self.cleaned_data.get("opens_at"), self.cleaned_data.get("due_at")
        if opens_at and due_at and due_at <= opens_at:
            self.add_error("due_at", "It would be due before it opens. Please choose a later moment.")
        first, last = self.cleaned_data.get("pages_from"), self.cleaned_data.get("pages_to")
        if first and last and last < first:
            self.add_error(
                "pages_to", "That is fewer pages than the other field asks for. Please put the larger number here."
            )
        return self.cleaned_data

    @property
    def description(self) -> Description:
        """What was typed, once the form is valid."""
        return Description(**{name: self.cleaned_data[name] for name in Description.__dataclass_fields__})
