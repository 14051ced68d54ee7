"""One mail to each student whose score changed. The notice on their pages is what counts; a mail that fails is only logged."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.urls import reverse

from config import clock
from reviews.regrades.models import ScoreChange

log = structlog.get_logger(__name__)


def tell_students(change_ids: Collection[int], *, site: str) -> int:
    """Mail what has not been mailed yet, over one connection; returns how many left. Call it after the commit."""
    changes = ScoreChange.objects.filter(pk__in=change_ids, mailed_at=None)
    waiting = list(changes.select_related("enrollment__user", "regrade__assignment__offering__course"))
    if not waiting:
        return 0
    connection: BaseEmailBackend = get_connection()
    try:
        connection.open()
        sent = [change.pk for change in waiting if _send(change, connection, site)]
        connection.close()
    except OSError as error:  # SMTP's errors are OSErrors, too
        log.warning("mail_server_away", waiting=len(waiting), error=str(error))
        return 0
    return ScoreChange.objects.filter(pk__in=sent).update(mailed_at=clock.now())


def message(change: ScoreChange, site: str) -> EmailMessage:
    """What the student reads."""
    offering = change.regrade.assignment.offering
    link = site.rstrip("/") + reverse("submission", args=[change.submission_id])
    context = {"change": change, "lab": change.regrade.assignment, "link": link, "name": change.enrollment.user.name}
    body = render_to_string("regrades/mail.txt", context)
    subject = f"{offering.course.code}: your score for {change.regrade.assignment.label} changed"
    return EmailMessage(subject, body, to=[change.enrollment.user.email])


def _send(change: ScoreChange, connection: BaseEmailBackend, site: str) -> bool:
    mail = message(change, site)
    mail.connection = connection
    try:
        mail.send()
    except OSError as error:
        log.warning("mail_not_sent", change=change.pk, error=str(error))
        return False
    return True
