"""Settings, URLs, entry points, the clock and the system checks."""

from __future__ import annotations

from config.celery import app as celery_app

__all__ = ["celery_app"]
