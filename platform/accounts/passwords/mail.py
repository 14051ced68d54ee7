"""Sending the links, from the sweeper: the mail's row is the outbox, so a server that is away delays it and no more."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import User
from accounts.passwords.models import PasswordLetter
from config import clock
from config.outbox import Outbox

BATCH, RETRY_S, TRIES = 100, 30, 8


def mail_due_links() -> int:
    """Send the mails whose time has come; returns how many went out. Never raises for what a mail server does."""
    wanted = PasswordLetter.objects.filter(user__is_active=True)
    outbox: Outbox[PasswordLetter] = Outbox(
        name="password_link", wanted=wanted, message_of=message_of, retry_s=RETRY_S, tries=TRIES
    )
    due = wanted.filter(mail_at__lte=clock.now()).select_related("user").order_by("mail_at", "pk")
    return outbox.deliver(list(due[:BATCH]))


def message_of(letter: PasswordLetter) -> EmailMessage:
    """What the person reads."""
    context = {
        "letter": letter,
        "link": settings.SITE_URL + link_of(letter.user),
        "ask": settings.SITE_URL + reverse("password-ask"),
        "days": settings.PASSWORD_RESET_TIMEOUT // 86400,
    }
    subject = "Set your password for Gradlab"
    return EmailMessage(subject, render_to_string("accounts/password_mail.txt", context), to=[letter.user.email])


def link_of(user: User) -> str:
    """The address at which this person, and whoever has it, sets the password once."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password-set", args=[uid, default_token_generator.make_token(user)])
