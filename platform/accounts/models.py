"""People. Someone signs in with an e-mail address; what they may do comes from their enrollments."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

LONGEST_NAME = 200


class UserManager(BaseUserManager["User"]):
    """Creates people; addresses are stored in lower case, so that `Ada@…` and `ada@…` are one person."""

    def create_user(self, email: str, name: str, password: str | None = None, *, sort_name: str = "") -> User:
        """Store a person. Without a password nobody can sign in as them."""
        user = self.model(email=email.strip().lower(), name=name, sort_name=sort_name or _sort_name(name))
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        """Find the person who signs in as `username`."""
        return self.get(email=(username or "").strip().lower())


def _sort_name(name: str) -> str:
    *given, family = name.split() or [""]
    return (f"{family}, {' '.join(given)}" if given else family)[
        :LONGEST_NAME
    ]  # the comma makes it longer than the name


class User(AbstractBaseUser):
    """One person, on every page of every offering."""

    email = models.EmailField(unique=True, error_messages={"unique": "Someone already uses this address."})
    name = models.CharField(max_length=LONGEST_NAME)
    sort_name = models.CharField(max_length=LONGEST_NAME, help_text="Family name first, for lists.")
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        ordering = ("sort_name", "pk")

    def __str__(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        """The first word of the name."""
        return self.name.split()[0] if self.name.split() else self.email


# Django finds an app's models here; mails with a link live with the rest of their part.
from accounts.passwords.models import PasswordLetter  # noqa: E402, F401
