"""`manage.py enroll cs498-sp26 ada@example.edu "Ada Lindqvist" --role instructor`: the first person of an installation."""

from __future__ import annotations

from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from courses.models import Offering, Role
from courses.services import enroll


class Command(BaseCommand):
    """Enrolls someone, and asks for a password when the address is new."""

    help = "Enroll a person in an offering; asks for a password when the address is new."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, where, as what."""
        parser.add_argument("offering", help="slug of the offering, as in its address")
        parser.add_argument("email")
        parser.add_argument("name")
        parser.add_argument("--role", choices=Role.values, default=Role.STUDENT)

    def handle(self, *args: Any, **options: Any) -> None:
        """Create what is missing; the role is set either way."""
        offering = Offering.objects.filter(slug=options["offering"]).first()
        if offering is None:
            raise CommandError(f"There is no offering {options['offering']}.")
        user = User.objects.filter(email=options["email"].lower()).first()
        if user is None:
            user = User.objects.create_user(options["email"], options["name"], self._password())
        enroll(offering=offering, user=user, role=Role(options["role"]))
        self.stdout.write(f"{user} is now {Role(options['role']).label.lower()} in {offering}.")

    def _password(self) -> str:
        password = getpass("Password: ")
        try:
            validate_password(password)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return password
