"""The forms of regrade requests: asking, answering, and the window."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms

from reviews.models import RubricItem
from reviews.requests.scores import ItemNow, ScoreNow
from reviews.requests.services import Answer

LONGEST_TEXT, MOST_DAYS = 5000, 120
TOO_LONG = "Please keep it below 5,000 characters. Nothing was stored, and your text is kept here."


class AskForm(forms.Form):
    """What it is about, and why. Too short a reason is for the service to refuse."""

    item = forms.TypedChoiceField(
        required=False,
        coerce=int,
        empty_value=None,
        label="What it is about",
        error_messages={"invalid_choice": "Please choose an item of this score, or the whole."},
    )
    reason = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        label="Why the score should be looked at again",
        error_messages={"max_length": TOO_LONG},
        help_text="A sentence at least: what you did, and where the score misses it.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, data: Any = None, *, items: Iterable[RubricItem]) -> None:
        super().__init__(data, auto_id="ask-%s")
        field = self.fields["item"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", "The whole score"), *((item.pk, item.title) for item in items)]


class AnswerForm(forms.Form):
    """An answer with the points of each item, in fields named `score-<item>`. `given()` is what the service takes."""

    answer = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        label="Your answer, which the student reads",
        error_messages={"max_length": TOO_LONG},
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    decision = forms.ChoiceField(
        choices=(("keep", "Keep the score"), ("change", "Change the score")),
        error_messages={
            "required": "Please press one of the two buttons.",
            "invalid_choice": "Please press one of the two buttons.",
        },
    )
    revision = forms.IntegerField(
        required=False,
        min_value=0,
        widget=forms.HiddenInput,
        error_messages={
            "invalid": "Part of the page was lost on the way. Open the request again; copy your answer first.",
            "min_value": "Part of the page was lost on the way. Open the request again; copy your answer first.",
        },
    )

    def __init__(self, data: Any = None, *, score: ScoreNow | None) -> None:
        super().__init__(data, auto_id="answer-%s", initial={"revision": score.revision if score else 0})
        self.rows = score.items if score else ()
        for row in self.rows:
            self.fields[f"score-{row.item.pk}"] = _points_field(row)

    def marks(self) -> list[tuple[ItemNow, forms.BoundField]]:
        """Each item with its field."""
        return [(row, self[f"score-{row.item.pk}"]) for row in self.rows]

    def given(self) -> Answer:
        """What was decided; for a form that is valid."""
        named = {row.item.pk: self.cleaned_data[f"score-{row.item.pk}"] for row in self.rows}
        return Answer(
            text=self.cleaned_data["answer"],
            change=self.cleaned_data["decision"] == "change",
            scores={pk: score for pk, score in named.items() if score is not None},
            revision=self.cleaned_data["revision"] or 0,
        )


class WindowForm(forms.Form):
    """How many days students may ask after a release."""

    days = forms.IntegerField(
        min_value=0,
        max_value=MOST_DAYS,
        label="Days after the release",
        error_messages={
            "required": "Please give a number of days; 0 takes no requests.",
            "invalid": "Please give a whole number of days; 0 takes no requests.",
            "min_value": "The number of days cannot be below 0.",
            "max_value": f"That is longer than a term. Please give {MOST_DAYS} days at most.",
        },
    )


def _points_field(row: ItemNow) -> forms.DecimalField:
    levels = "; ".join(f"{level.points.normalize():f} {level.label}" for level in row.levels)
    return forms.DecimalField(
        required=False,
        max_digits=7,
        decimal_places=2,
        min_value=Decimal(0),
        max_value=row.item.points,
        initial=None if row.score is None else f"{row.score.normalize():f}",
        label=row.item.title,
        help_text=levels,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
        error_messages={
            "invalid": f"The points of {row.item.title} must be a number, such as 1 or 1.5.",
            "min_value": f"{row.item.title} takes 0 to {row.item.points.normalize():f} points.",
            "max_value": f"{row.item.title} takes 0 to {row.item.points.normalize():f} points.",
            "max_decimal_places": "Points have two decimals at most.",
            "max_digits": "That number is too long.",
            "max_whole_digits": "That number is too long.",
        },
    )
