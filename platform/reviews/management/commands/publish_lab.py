"""`manage.py publish_lab labs/autodiff cs498-sp26 autodiff`: make a labs/ folder the version that an assignment uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from assignments.models import Assignment
from assignments.services import assign_lab, publish_lab
from grader.api import LabError
from reviews.regrades.selectors import regrades_page
from reviews.services import sync_rubric


class Command(BaseCommand):
    """Publishes a folder and gives it to an assignment; work handed in before keeps its scores until it is regraded."""

    help = "Publish a labs/ folder as a new version and let an assignment use it."

    def add_arguments(self, parser: CommandParser) -> None:
        """The folder, and for whom."""
        parser.add_argument("folder", type=Path)
        parser.add_argument("offering", help="slug of the offering, as in its address")
        parser.add_argument("assignment", help="slug of the assignment")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish, assign, and bring the rubric up to date."""
        assignment = Assignment.objects.filter(offering__slug=options["offering"], slug=options["assignment"]).first()
        if assignment is None:
            raise CommandError(f"{options['offering']} has no assignment {options['assignment']}.")
        try:
            with transaction.atomic():
                lab = publish_lab(options["folder"])
                sync_rubric(assignment=assign_lab(assignment=assignment, lab=lab))
        except LabError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{assignment} now uses {lab}.")
        if older := regrades_page(assignment).older:
            self.stdout.write(
                f"Nobody's score has changed: {older} attempts that count keep the report of the version that graded them. "
                "To grade them by this one, press “Regrade all…” on the page of the lab's submissions."
            )
