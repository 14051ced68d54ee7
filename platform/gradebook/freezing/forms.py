"""A note or a reason. What is missing is for the services to refuse."""

from __future__ import annotations

from django import forms

from gradebook.freezing.services import FreezeRefused


class NoteForm(forms.Form):
    """Why. What is wrong with it is refused as the services refuse."""

    note = forms.CharField(
        required=False, max_length=2000, error_messages={"max_length": "Please keep this below 2,000 characters."}
    )

    def note_or_refusal(self) -> str:
        """The text; raises `FreezeRefused` where it is too long."""
        if not self.is_valid():
            raise FreezeRefused(str(self.errors["note"][0]))
        return str(self.cleaned_data["note"])
