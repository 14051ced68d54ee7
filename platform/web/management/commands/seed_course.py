"""`manage.py seed_course`: the first offering."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from web.seed.course import seed_course


class Command(BaseCommand):
    """Loads CS 498, Spring 2026; what exists is left as it is."""

    help = "Load the offering CS 498, Spring 2026: schedule, labs, readings, weights. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and say what is there."""
        offering = seed_course()
        self.stdout.write(
            f"{offering}: {offering.sessions.count()} sessions, {offering.assignments.labs().count()} labs, "
            f"{offering.assignments.readings().count()} readings."
        )
