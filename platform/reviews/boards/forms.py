"""The two forms of boards: a name, and why staff take one off."""

from __future__ import annotations

import re

from django import forms

from reviews.boards.models import LONGEST_NAME

NAME = re.compile(r"\w[\w .'\-]{1,22}\w")
NAME_HELP = (
    "3 to 24 letters, digits, spaces, dots, hyphens. Everybody in the course sees it; only staff see that it is you."
)


class JoinForm(forms.Form):
    """The name on the boards."""

    name = forms.CharField(
        max_length=LONGEST_NAME,
        label="Your name on the boards",
        help_text=NAME_HELP,
        error_messages={
            "required": "Please choose a name.",
            "max_length": f"Please keep the name to {LONGEST_NAME} characters.",
        },
    )

    def clean_name(self) -> str:
        """Spaces count once; a name begins and ends with a letter or a digit."""
        name = " ".join(self.cleaned_data["name"].split())
        if not NAME.fullmatch(name):
            raise forms.ValidationError(
                f"“{name}” cannot be a name on a board: {NAME_HELP[0].lower()}{NAME_HELP[1:].partition('.')[0]}."
            )
        return name


class HideForm(forms.Form):
    """Why a name is taken off."""

    reason = forms.CharField(
        max_length=500,
        error_messages={
            "required": "Please say why: the student reads it.",
            "max_length": "Please keep the reason below 500 characters.",
        },
    )
