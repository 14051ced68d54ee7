"""The forms of a release: what is left for later, and why one is taken back."""

from __future__ import annotations

from django import forms


class ReleaseForm(forms.Form):
    """`partial`: the others follow later; `hold_flagged`: flagged work is one of them."""

    partial = forms.BooleanField(required=False)
    hold_flagged = forms.BooleanField(required=False)
