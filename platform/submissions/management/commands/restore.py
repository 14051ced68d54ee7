"""`manage.py restore FOLDER`: put a backup in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from submissions.backup import restore_backup
from submissions.databases import FAULTS


class Command(BaseCommand):
    """Refuses a database that somebody uses, unless forced. Checks every hash before the database is touched."""

    help = "Restore a backup. Stop web, workers and sweeper first; run migrate afterwards."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where from, and whether to overwrite."""
        parser.add_argument("folder", type=Path, help="a folder that `backup` wrote")
        parser.add_argument("--force", action="store_true", help="replace a database that holds rows")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, and say what to do next."""
        try:
            done = restore_backup(options["folder"], force=options["force"])
        except FAULTS as error:
            raise CommandError(f"The backup was not restored. {error}") from error
        self.stdout.write(
            f"Restored the backup of {done.made_at}: the database, {done.files} files, {len(done.labs)} published labs."
        )
        self.stdout.write("Run `manage.py migrate` now, then start web, workers and sweeper.")
