from __future__ import annotations

from django.apps import AppConfig


class GradebookConfig(AppConfig):
    """The app `gradebook`."""

    name = "gradebook"
