"""The form on which a receipt is checked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from submissions.receipts import MAX_CHARS


class ReceiptForm(forms.Form):
    """A receipt, pasted or as a file. `text` is the receipt either way."""

    text = forms.CharField(
        label="The receipt, pasted",
        required=False,
        max_length=MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "mono"}),
    )
    file = forms.FileField(label="Or its file", required=False, widget=forms.FileInput(attrs={"accept": ".json,.txt"}))

    def clean(self) -> dict[str, Any]:
        """Take the text, or read the file."""
        cleaned = super().clean() or {}
        if file := cleaned.get("file"):
            cleaned["text"] = file.read(MAX_CHARS + 1).decode("utf-8", errors="replace")
        if not cleaned.get("text") and not self.errors:
            raise ValidationError("There is nothing to check yet. Paste the receipt, or choose its file.")
        return cleaned
