from __future__ import annotations

from django.apps import AppConfig


class AssignmentsConfig(AppConfig):
    """The app `assignments`."""

    name = "assignments"
