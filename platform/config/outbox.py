"""Mails whose rows are their outbox: a mail server that is away delays them and nothing else. The sweeper delivers them."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

import structlog
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import models

from config import clock

# what concerns one mail; every other trouble concerns the server
REFUSALS = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError)
log = structlog.get_logger(__name__)


class Letter(models.Model):
    """A row that stands for a mail. `mail_at` is when the sweeper sends it (again); empty: sent, given up, or not wanted."""

    mail_at = models.DateTimeField(null=True, db_index=True)
    mail_tries = models.PositiveSmallIntegerField(default=0)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


L = TypeVar("L", bound=Letter)


@dataclass(frozen=True)
class Outbox(Generic[L]):
    """One kind of mail. `wanted` are the rows that may still be sent, so that what is undone meanwhile is not."""

    name: str
    wanted: models.QuerySet[L]
    message_of: Callable[[L], EmailMessage]
    retry_s: float
    tries: int

    def deliver(self, due: Sequence[L]) -> int:
        """Send the mails whose time has come; returns how many went out. Never raises for what a mail server does."""
        if not due:
            return 0
        connection = get_connection()
        try:
            connection.open()
            return sum(self._send(letter, connection) for letter in due)
        except OSError as error:  # a server that is away or silent: the others would wait as long, one after the other
            log.warning("mail_server_away", waiting=len(due), error=str(error))
            return 0
        finally:
            with suppress(OSError):
                connection.close()

    def _send(self, letter: L, connection: BaseEmailBackend) -> bool:
        """Send one that no other sweeper takes; one that is refused is logged and tried again later, a few times."""
        if not self._claim(letter):
            return False
        try:
            connection.send_messages([self.message_of(letter)])
        except (*REFUSALS, ValueError) as error:
            log.warning(f"{self.name}_not_mailed", letter=letter.pk, tries=letter.mail_tries + 1, error=str(error))
            return False
        self.wanted.model._default_manager.filter(pk=letter.pk).update(  # noqa: SLF001 - Django's own name for it
            mail_at=None, mailed_at=clock.now()
        )
        return True

    def _claim(self, letter: L) -> bool:
        """Put the next try off before this one, so that two sweepers do not send the same and a failure waits longer each time."""
        tries = letter.mail_tries + 1
        later = clock.now() + timedelta(seconds=self.retry_s * 2**tries)
        due = self.wanted.filter(pk=letter.pk, mail_at=letter.mail_at)
        return bool(due.update(mail_tries=tries, mail_at=None if tries >= self.tries else later))
