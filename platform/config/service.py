"""The base of commands that start a part of the product: a wrong setting stops the start, with a sentence and status 1."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class ServiceCommand(BaseCommand):
    """Runs every check first, also those that ask database and Redis, and those for deployment where people are."""

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """What `check --deploy --database default` checks."""
        people = not (settings.DEBUG or settings.DEMO)
        return super().get_check_kwargs(options) | {"databases": ["default"], "include_deployment_checks": people}
