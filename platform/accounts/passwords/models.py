"""Mails with a link. The link's token is made when the mail is sent, so that none is ever stored."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from config.outbox import Letter


class PasswordLetter(Letter):
    """One mail to one person. `mail_at` is when the sweeper sends it (again); empty: sent, or given up."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_letters")
    asked_at = models.DateTimeField()
    invited_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", help_text="Empty: they asked for it themselves."
    )

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Link for {self.user}"
