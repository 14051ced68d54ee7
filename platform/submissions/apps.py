from __future__ import annotations

from django.apps import AppConfig


class SubmissionsConfig(AppConfig):
    """The app `submissions`."""

    name = "submissions"
