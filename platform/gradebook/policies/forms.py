"""What the dry run's button sends beside the scheme."""

from __future__ import annotations

from django import forms


class SaveForm(forms.Form):
    """Why, and the digest of what was shown. Too short a reason is for the service to refuse."""

    reason = forms.CharField(
        required=False, max_length=2000, error_messages={"max_length": "Please keep the reason below 2,000 characters."}
    )
    seen = forms.CharField(required=False, max_length=64)
