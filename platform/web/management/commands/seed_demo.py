"""`manage.py seed_demo`: people and submissions to look at."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config import env
from web.seed.course import seed_course
from web.seed.demo import seed_demo
from web.seed.people import INSTRUCTOR, STUDENTS, TAS, address

PASSWORD = "autodiff-by-hand"  # noqa: S105 - printed on purpose: every demo has it


class Command(BaseCommand):
    """Loads the course with invented people. Refused where real people are."""

    help = "Load the course with an instructor, two TAs, 40 students and Lab 1 submissions in every state. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and print the sign-ins."""
        if not (settings.DEMO or settings.DEBUG):
            raise CommandError(
                "The demo's password is public. Set GRADLAB_DEMO=1 on an installation that is only a demo."
            )
        started = time.perf_counter()
        password = env.text("DEMO_PASSWORD", PASSWORD)
        made = seed_demo(seed_course(), password)
        self.stdout.write(f"{made} submissions made in {time.perf_counter() - started:.0f} s.")
        for role, name in (("instructor", INSTRUCTOR), ("TA", TAS[0]), ("student", STUDENTS[0])):
            self.stdout.write(f"  {role:<10} {address(name)}")
        self.stdout.write(f"  password   {password}")
