from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Pages that join several apps, templates and static files."""

    name = "web"
