"""Telling students of released scores, from the sweeper: the mail's row is the outbox, so a server that is away delays it and no more."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from config import clock
from config.outbox import Outbox
from reviews.releases.models import News, ReleaseMail

BATCH = 100


def mail_due_releases() -> int:
    """Send the mails whose time has come; returns how many went out. Never raises for what a mail server does."""
    due = ReleaseMail.objects.due_at(clock.now())
    outbox: Outbox[ReleaseMail] = Outbox(
        name="release",
        wanted=ReleaseMail.objects.filter(release__undone_at=None),
        message_of=message_of,
        retry_s=settings.RELEASE_MAIL_RETRY_S,
        tries=settings.RELEASE_MAIL_TRIES,
    )
    return outbox.deliver(list(due.select_related("enrollment__user", "release__assignment__offering__course")[:BATCH]))


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
