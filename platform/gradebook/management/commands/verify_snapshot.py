"""`manage.py verify_snapshot FILE`: whether a snapshot of grades is as it was stored, and its grades follow from its scores."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from gradebook.freezing.frozen import NotAGradesFile, grades_follow
from gradebook.models import Snapshot


class Command(BaseCommand):
    """Exit status 0 where all holds, 1 otherwise. `--sha256` stands in for a database that is not there any more."""

    help = "Say whether a file is a snapshot of grades as it was stored (exit status 0) or not (1), and recompute its grades."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and the hash to hold it against."""
        parser.add_argument("file", help="the downloaded grades-….json; - reads standard input")
        parser.add_argument(
            "--sha256", default="", help="the hash that was written down; without it the database is asked"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Hash, look up, recompute, tell."""
        data = self._bytes(options["file"])
        digest = hashlib.sha256(data).hexdigest()
        self.stdout.write(f"SHA-256 {digest}")
        self._recompute(data)
        if wanted := options["sha256"].strip().lower():
            if wanted != digest:
                raise CommandError(f"This is not that snapshot: its hash is not {wanted}.")
            self.stdout.write("This is the snapshot with that hash, byte by byte.")
        else:
            self._look_up(digest)

    def _bytes(self, file: str) -> bytes:
        try:
            return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}. Name the snapshot's file.") from error

    def _recompute(self, data: bytes) -> None:
        try:
            wrong = grades_follow(data.decode("ascii"))
        except (NotAGradesFile, UnicodeDecodeError) as error:
            raise CommandError(f"This is no snapshot of grades. {error}") from error
        if wrong:
            raise CommandError(
                f"The grades of {len(wrong)} students do not follow from their scores: {', '.join(wrong[:5])}."
            )
        self.stdout.write("Every grade in it follows from its scores and its policy.")

    def _look_up(self, digest: str) -> None:
        try:
            found = list(Snapshot.objects.filter(sha256=digest).select_related("offering", "taken_by").defer("data"))
        except DatabaseError as error:
            raise CommandError(f"The database could not be asked: {error}. Give the hash with --sha256.") from error
        if not found:
            raise CommandError(
                "No snapshot with this hash is stored here: it was changed since, or is of another site."
            )
        for row in found:
            final = "final grades" if row.final else "snapshot"
            lifted = f", lifted {row.lifted_at:%Y-%m-%d %H:%M:%S}" if row.lifted_at else ""
            who = row.taken_by or "course staff"
            self.stdout.write(
                f"Stored here: {final} {row.pk} of {row.offering}, {row.taken_at:%Y-%m-%d %H:%M:%S} UTC, {who}{lifted}"
            )
