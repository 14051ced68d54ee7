"""Mailing receipts, from the sweeper: the receipt's row is the outbox, so a mail server that is away delays mails and nothing else."""

from __future__ import annotations

import smtplib
from contextlib import suppress
from datetime import timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string

from config import clock
from submissions import receipts
from submissions.models import SignedReceipt

BATCH = 50
# what concerns one mail; every other trouble concerns the server
REFUSALS = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError)
log = structlog.get_logger(__name__)


def mail_due_receipts() -> int:
    """Send the receipts whose time has come; returns how many went out. Never raises for what a mail server does."""
    due = list(SignedReceipt.objects.filter(mail_at__lte=clock.now()).order_by("mail_at")[:BATCH])
    if not due:
        return 0
    connection = get_connection()
    try:
        connection.open()
        return sum(_mail(receipt, connection) for receipt in due)
    except OSError as error:  # a server that is away or silent: the others would wait as long, one after the other
        log.warning("mail_server_away", waiting=len(due), error=str(error))
        return 0
    finally:
        with suppress(OSError):
            connection.close()


def message_of(receipt: SignedReceipt) -> EmailMessage:
    """The mail: what was received, in words, and the receipt itself as an attachment."""
    statement = receipts.stated(receipt.text)
    subject = f"Receipt #{statement.submission}: {statement.assignment}, attempt {statement.attempt}"
    mail = EmailMessage(
        subject=" ".join(subject.split()),
        body=render_to_string("submissions/receipt_mail.txt", {"receipt": statement}),
        to=[statement.email],
    )
    mail.attach(file_name(statement.submission), receipt.text, "application/json")
    return mail


def file_name(submission: int) -> str:
    """What the receipt is called as a file."""
    return f"receipt-{submission}.json"


def _mail(receipt: SignedReceipt, connection: BaseEmailBackend) -> bool:
    """Send one that no other sweeper takes; a mail that is refused is logged and tried again later, a few times."""
    if not _claim(receipt):
        return False
    try:
        connection.send_messages([message_of(receipt)])
    except (*REFUSALS, ValueError) as error:
        log.warning("receipt_not_mailed", receipt=receipt.pk, tries=receipt.mail_tries + 1, error=str(error))
        return False
    SignedReceipt.objects.filter(pk=receipt.pk).update(mail_at=None, mailed_at=clock.now())
    return True


def _claim(receipt: SignedReceipt) -> bool:
    """Put the next try off before this one, so that two sweepers do not send the same and a failure waits longer each time."""
    tries = receipt.mail_tries + 1
    later = clock.now() + timedelta(seconds=settings.RECEIPT_MAIL_RETRY_S * 2**tries)
    return bool(
        SignedReceipt.objects.filter(pk=receipt.pk, mail_at=receipt.mail_at).update(
            mail_tries=tries, mail_at=None if tries >= settings.RECEIPT_MAIL_TRIES else later
        )
    )
