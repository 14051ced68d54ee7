from __future__ import annotations

from django.apps import AppConfig


class LtiConfig(AppConfig):
    """The app `lti`."""

    name = "lti"
