"""`manage.py verify_receipt FILE`: whether a receipt is genuine, and whether its submission is still there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from submissions import receipts, storage
from submissions.issuing import SENTENCES, Standing, standing_of
from submissions.receipts import NotGenuine, Statement


class Command(BaseCommand):
    """Exit status 0 for a genuine receipt, 1 for any other. It needs no web server, and says so when it cannot ask the database."""

    help = "Say whether a receipt is genuine (exit status 0) or not (1), what it states, and whether its submission is stored."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The receipt, and how strict to be."""
        parser.add_argument("file", help="the receipt, or a mail that holds it; - reads standard input")
        parser.add_argument(
            "--stored", action="store_true", help="exit status 1 also where the database or the files lack it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, check, tell."""
        try:
            statement = receipts.read(self._text(options["file"]))
        except NotGenuine as reason:
            raise CommandError(f"This is not a genuine receipt. {reason}") from reason
        standing = self._tell_standing(statement)
        self._tell(statement)
        stored = [self._tell_file(file) for file in statement.files]
        if options["stored"] and not (standing == Standing.PRESENT and all(stored)):
            raise CommandError("The receipt is genuine, and what it states is not all stored.")

    def _text(self, file: str) -> str:
        try:
            data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}. Name the receipt's file.") from error
        return data.decode("utf-8", errors="replace")

    def _tell_standing(self, statement: Statement) -> Standing | None:
        try:
            standing = standing_of(statement)
        except DatabaseError as error:
            self.stdout.write(f"This receipt is genuine. The database could not be asked for its submission: {error}")
            return None
        self.stdout.write(SENTENCES[standing])
        return standing

    def _tell(self, statement: Statement) -> None:
        lines = {
            "Submission": f"#{statement.submission}, attempt {statement.attempt}",
            "Work": f"{statement.course}: {statement.assignment}",
            "Student": f"{statement.student} <{statement.email}>",
            "Received": f"{statement.received_at}, {statement.received_here}, {'late' if statement.late else 'on time'}",
            "Due": statement.due_at,
            "Queue": "" if statement.waiting_ahead is None else f"{statement.waiting_ahead} waiting ahead of it",
            "SHA-256": statement.sha256,
        }
        self.stdout.write("".join(f"  {name:<11} {value}\n" for name, value in lines.items() if value), ending="")

    def _tell_file(self, file: receipts.StatedFile) -> bool:
        """A line for the file; its bytes may be there where its row is not, and can be graded from there."""
        try:
            storage.read(file.sha256)
            found = "stored, whole"
        except OSError as error:
            found = f"not stored: {error}"
        self.stdout.write(f"  {'File':<11} {file.name}, {file.size} bytes, {file.sha256}: {found}")
        return found == "stored, whole"
