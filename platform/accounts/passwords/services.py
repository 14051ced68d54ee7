"""Asking for a link, and inviting people who have no password yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from accounts.models import User
from accounts.passwords.models import PasswordLetter
from config import clock

AGAIN_AFTER = timedelta(minutes=2)  # whoever asks more often gets the mail that is on its way


@transaction.atomic
def ask(*, email: str) -> bool:
    """Mail a link to whoever signs in with this address; False where nobody does, or where a mail was asked for just now.

    Pages must not tell one from the other.
    """
    user = User.objects.select_for_update().filter(email=email.strip().lower(), is_active=True).first()
    if user is None or user.password_letters.filter(asked_at__gt=clock.now() - AGAIN_AFTER).exists():
        return False
    _write(user, None)
    return True


@transaction.atomic
def invite(*, users: Iterable[User], by: User) -> int:
    """Mail a link to those of them who have no password; returns how many they are."""
    without = [user for user in users if not user.has_usable_password() and user.is_active]
    for user in without:
        _write(user, by)
    return len(without)


def _write(user: User, by: User | None) -> None:
    now = clock.now()
    PasswordLetter.objects.create(user=user, asked_at=now, mail_at=now, invited_by=by)
