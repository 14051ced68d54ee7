"""Mailing receipts, from the sweeper: the receipt's row is the outbox, so a mail server that is away delays mails and nothing else."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from config import clock
from config.outbox import Outbox
from submissions import receipts
from submissions.models import Author, SignedReceipt

BATCH = 50


def mail_due_receipts() -> int:
    """Send the receipts whose time has come; returns how many went out. Never raises for what a mail server does."""
    outbox: Outbox[SignedReceipt] = Outbox(
        name="receipt",
        wanted=SignedReceipt.objects.all(),
        message_of=message_of,
        retry_s=settings.RECEIPT_MAIL_RETRY_S,
        tries=settings.RECEIPT_MAIL_TRIES,
    )
    return outbox.deliver(list(SignedReceipt.objects.filter(mail_at__lte=clock.now()).order_by("mail_at")[:BATCH]))


def message_of(receipt: SignedReceipt) -> EmailMessage:
    """The mail: what was received, in words, and the receipt itself as an attachment. A team's goes to all of its authors."""
    statement = receipts.stated(receipt.text)
    subject = f"Receipt #{statement.submission}: {statement.assignment}, attempt {statement.attempt}"
    mail = EmailMessage(
        subject=" ".join(subject.split()),
        body=render_to_string("submissions/receipt_mail.txt", {"receipt": statement}),
        to=[statement.email],
        cc=_teammates(receipt),
    )
    mail.attach(file_name(statement.submission), receipt.text, "application/json")
    return mail


def _teammates(receipt: SignedReceipt) -> list[str]:
    others = Author.objects.filter(submission=receipt.submission_id).exclude(
        enrollment__submissions=receipt.submission_id
    )
    return list(others.values_list("enrollment__user__email", flat=True))


def file_name(submission: int) -> str:
    """What the receipt is called as a file."""
    return f"receipt-{submission}.json"
