"""The forms of the reading list. Their moments are read in the offering's zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any, cast

from django import forms
from django.core.validators import URLValidator
from django.http import QueryDict
from django.utils import timezone

from assignments.due.forms import within_reach
from courses.models import Enrollment, Offering
from readings.keeping import identifiers
from readings.keeping.bibtex import MOST_CHARS
from readings.keeping.dates import Dates
from readings.keeping.facts import PaperFacts

FIRST_YEAR, LAST_YEAR = 1900, 2100


class _Moment(forms.DateTimeInput):
    """The browser's own field for a moment, to the second."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"step": "1"}, format="%Y-%m-%dT%H:%M:%S")


class _Day(forms.DateInput):
    """The browser's own field for a day."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class PaperForm(forms.Form):
    """A paper's data, and when its reading opens and is due."""

    title = forms.CharField(max_length=300, error_messages={"required": "Please give the paper's title."})
    authors = forms.CharField(
        max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Separated by commas."
    )
    venue = forms.CharField(max_length=200, required=False, help_text="As in SC, OSDI, MLSys.")
    year = forms.IntegerField(required=False, min_value=FIRST_YEAR, max_value=LAST_YEAR)
    topic_hint = forms.CharField(
        max_length=80, required=False, label="Topic", help_text="The topic or short name by which it is known."
    )
    arxiv_id = forms.CharField(max_length=200, required=False, label="arXiv id", help_text="As in 2104.04473.")
    doi = forms.CharField(max_length=300, required=False, label="DOI", help_text="As in 10.1145/3458817.3476209.")
    url = forms.URLField(
        max_length=200,
        required=False,
        label="Address",
        assume_scheme="https",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Used where there is no arXiv id and no DOI.",
    )
    opens_at = forms.DateTimeField(
        label="Opens", widget=_Moment, validators=[within_reach], help_text="Students can write from then on."
    )
    due_at = forms.DateTimeField(
        label="Due", widget=_Moment, validators=[within_reach], help_text="The last second that is on time."
    )

    def __init__(
        self,
        offering: Offering,
        data: Any = None,
        *,
        dates: Dates,
        facts: PaperFacts | None = None,
        typed: Mapping[str, Any] | None = None,
    ) -> None:
        """`typed` stands in the fields without being checked."""
        super().__init__(data, initial={**asdict(facts or PaperFacts("")), **asdict(dates), **(typed or {})})
        self.offering = offering

    def full_clean(self) -> None:
        """Read moments by the clock on the offering's wall."""
        with timezone.override(self.offering.zone):
            super().full_clean()

    def clean_title(self) -> str:
        """One line."""
        return " ".join(self.cleaned_data["title"].split())

    def clean_authors(self) -> str:
        """One line, without a comma at its end."""
        return " ".join(self.cleaned_data["authors"].split()).strip(" ,")

    def clean_arxiv_id(self) -> str:
        """The id alone."""
        text = self.cleaned_data["arxiv_id"].strip()
        found = identifiers.arxiv_id(text)
        if text and not 0 < len(found) <= 20:
            raise forms.ValidationError("This is no arXiv id. One looks like 2104.04473 or hep-th/9901001.")
        return found

    def clean_doi(self) -> str:
        """The DOI alone."""
        found = identifiers.doi(self.cleaned_data["doi"])
        if self.cleaned_data["doi"].strip() and not found:
            raise forms.ValidationError("This is no DOI. One looks like 10.1145/3458817.3476209.")
        if len(found) > 120:
            raise forms.ValidationError(
                "This DOI is longer than 120 characters. Please give the paper's address instead."
            )
        return found

    def clean(self) -> dict[str, Any]:
        """A reading is open before it is due."""
        opens_at, due_at = self.cleaned_data.get("opens_at"), self.cleaned_data.get("due_at")
        if opens_at and due_at and due_at <= opens_at:
            self.add_error("due_at", "It would be due before it opens. Please choose a later moment.")
        # a DOI of arXiv names the same paper as its arXiv id
        if arxiv := identifiers.arxiv_id(self.cleaned_data.get("doi", "")):
            self.cleaned_data["arxiv_id"] = self.cleaned_data.get("arxiv_id") or arxiv
            self.cleaned_data["doi"] = ""
        return self.cleaned_data

    @property
    def facts(self) -> PaperFacts:
        """The paper's data, once the form is valid."""
        return PaperFacts(**{name: self.cleaned_data[name] for name in PaperFacts.__dataclass_fields__})

    @property
    def dates(self) -> Dates:
        """When it opens and is due, once the form is valid."""
        return Dates(self.cleaned_data["opens_at"], self.cleaned_data["due_at"])


class WeeksForm(forms.Form):
    """The first due day, and the days of the row that are skipped. `shown` is the first day of the row that the person saw."""

    first = forms.DateField(label="First due date", widget=_Day)
    skip = forms.Field(required=False)
    shown = forms.DateField(required=False)

    def clean_first(self) -> date:
        """A year that somebody may live to see."""
        first: date = self.cleaned_data["first"]
        if not FIRST_YEAR <= first.year < LAST_YEAR:
            raise forms.ValidationError(f"Please choose a day between {FIRST_YEAR} and {LAST_YEAR}.")
        return first

    def clean_skip(self) -> frozenset[date]:
        """The days that are ticked; what is no day is nothing."""
        posted = cast("QueryDict", self.data).getlist("skip")
        return frozenset(day for text in posted if (day := _day(text)))

    @property
    def skipped(self) -> frozenset[date] | None:
        """The days to skip; None where the person has not seen this row yet, and the recesses decide."""
        seen = self.is_bound and self.is_valid() and self.cleaned_data["shown"] == self.cleaned_data["first"]
        return self.cleaned_data["skip"] if seen else None


class BibTeXForm(forms.Form):
    """BibTeX as text or as a file; the file goes first."""

    text = forms.CharField(
        required=False,
        max_length=MOST_CHARS,
        label="BibTeX",
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "class": "mono"}),
        error_messages={
            "max_length": "That is more BibTeX than a reading list needs. Please import the papers of this course alone."
        },
    )
    file = forms.FileField(required=False, label="or a .bib file", allow_empty_file=True)
    hidden = forms.BooleanField(required=False, label="Hide them from students for now")

    def clean(self) -> dict[str, Any]:
        """The text, from whichever of the two it came."""
        if file := self.cleaned_data.get("file"):
            if file.size > 4 * MOST_CHARS:
                raise forms.ValidationError(
                    "This file is too long for a reading list. Please import the papers of this course alone."
                )
            self.cleaned_data["text"] = _decoded(file.read())
        if not self.errors and not self.cleaned_data.get("text", "").strip():
            raise forms.ValidationError("Please paste BibTeX, or choose a .bib file.")
        return self.cleaned_data


class TargetForm(forms.Form):
    """The offering that gets the list: another one that the person is an instructor of."""

    target = forms.ChoiceField(
        label="Copy to", error_messages={"invalid_choice": "Please choose one of these offerings."}
    )

    def __init__(self, data: Any, targets: Iterable[Enrollment]) -> None:
        super().__init__(data)
        self.targets = {row.offering.slug: row.offering for row in targets}
        target = self.fields["target"]
        assert isinstance(target, forms.ChoiceField)
        target.choices = [(slug, str(row)) for slug, row in self.targets.items()]

    @property
    def offering(self) -> Offering | None:
        """The chosen one; without a valid choice, the one that starts last."""
        chosen = self.cleaned_data["target"] if self.is_valid() else next(iter(self.targets), "")
        return self.targets.get(chosen)


def _decoded(data: bytes) -> str:
    """Old .bib files are Latin-1, in which every byte is a letter."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\0", "")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
