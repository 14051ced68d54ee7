"""Telling students of released scores, from the sweeper: the mail's row is the outbox, so a server that is away delays it and no more."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.urls import reverse

from config import clock
from reviews.releases.models import News, ReleaseMail
from submissions.mail import REFUSALS

BATCH = 100
log = structlog.get_logger(__name__)


def mail_due_releases() -> int:
    """Send the mails whose time has come; returns how many went out. Never raises for what a mail server does."""
    due = ReleaseMail.objects.due_at(clock.now())
    listed = list(due.select_related("enrollment__user", "release__assignment__offering__course")[:BATCH])
    if not listed:
        return 0
    connection = get_connection()
    try:
        connection.open()
        return sum(_send(mail, connection) for mail in listed)
    except OSError as error:  # a server that is away or silent: the others would wait as long, one after the other
        log.warning("mail_server_away", waiting=len(listed), error=str(error))
        return 0
    finally:
        with suppress(OSError):
            connection.close()


def message_of(mail: ReleaseMail) -> EmailMessage:
    """What the student reads. It names no score: that stands behind the sign-in."""
    assignment = mail.release.assignment
    offering = assignment.offering
    context = {
        "mail": mail,
        "assignment": assignment,
        "link": settings.SITE_URL + reverse("grades", args=[offering.slug]),
        "taken_back": mail.news == News.RETRACTED,
    }
    what = "was taken back" if mail.news == News.RETRACTED else "is there"
    subject = f"{offering.course.code}: your score for {assignment.label} {what}"
    body = render_to_string("releases/mail.txt", context)
    return EmailMessage(" ".join(subject.split()), body, to=[mail.enrollment.user.email])


def _send(mail: ReleaseMail, connection: BaseEmailBackend) -> bool:
    """Send one that no other sweeper takes; one that is refused is logged and tried again later, a few times."""
    if not _claim(mail):
        return False
    try:
        connection.send_messages([message_of(mail)])
    except (*REFUSALS, ValueError) as error:
        log.warning("release_not_mailed", mail=mail.pk, tries=mail.mail_tries + 1, error=str(error))
        return False
    ReleaseMail.objects.filter(pk=mail.pk).update(mail_at=None, mailed_at=clock.now())
    return True


def _claim(mail: ReleaseMail) -> bool:
    """Put the next try off before this one, so that two sweepers do not send the same and a failure waits longer each time."""
    tries = mail.mail_tries + 1
    later = clock.now() + timedelta(seconds=settings.RELEASE_MAIL_RETRY_S * 2**tries)
    due = ReleaseMail.objects.filter(pk=mail.pk, mail_at=mail.mail_at, release__undone_at=None)
    return bool(due.update(mail_tries=tries, mail_at=None if tries >= settings.RELEASE_MAIL_TRIES else later))
