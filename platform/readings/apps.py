from __future__ import annotations

from django.apps import AppConfig


class ReadingsConfig(AppConfig):
    """The app `readings`."""

    name = "readings"
