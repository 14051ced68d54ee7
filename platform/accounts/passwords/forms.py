"""The two forms."""

from __future__ import annotations

from django import forms


class AskForm(forms.Form):
    """Whose link it is to be."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
