from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class ConfigConfig(AppConfig):
    """Makes the data directory and registers the system checks."""

    name = "config"

    def ready(self) -> None:
        """Prepare what must be there before the first connection and the first check."""
        from config import checks, live_checks  # noqa: F401, PLC0415 - importing registers them, and apps must be loaded first

        with suppress(OSError):  # a check says so with a sentence
            Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
