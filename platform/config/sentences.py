"""What a form refused, for people."""

from __future__ import annotations

from django.forms import BaseForm


def sentence(form: BaseForm) -> str:
    """The first thing that is wrong with a form; nothing for one that is right."""
    return next((str(message) for errors in form.errors.values() for message in errors), "")
