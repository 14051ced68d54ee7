"""`manage.py backup FOLDER`: database, submitted files and published labs, while the site runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from submissions.backup import make_backup
from submissions.databases import FAULTS


class Command(BaseCommand):
    """Exit status 0 for a whole backup; 1 where none was made, or where files lack that the store had lost before."""

    help = "Write a backup of the database, the submitted files and the published labs into a new folder. The site may run."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("folder", type=Path, help="a new or empty folder")

    def handle(self, *args: Any, **options: Any) -> None:
        """Back up, and say what was written."""
        folder = options["folder"]
        try:
            made = make_backup(folder)
        except FAULTS as error:
            raise CommandError(f"No backup was made. {error}") from error
        self.stdout.write(f"{folder} holds the database, {made.files} files and {len(made.labs)} published labs.")
        if made.lacking:
            raise CommandError(
                f"{len(made.lacking)} files or labs could not be backed up: they are lost or damaged here already. Look for them in an "
                f"earlier backup, below files/ and labs/: {', '.join(made.lacking)}"
            )
