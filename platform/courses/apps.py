from __future__ import annotations

from django.apps import AppConfig


class CoursesConfig(AppConfig):
    """The app `courses`."""

    name = "courses"
