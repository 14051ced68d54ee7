"""Who may see the pattern page."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404

from accounts.models import User
from courses.access import staffs_any_offering


def require_patterns_access(user: User) -> None:
    """Raise `Http404` for everyone but staff of an offering; on a development machine everyone passes."""
    if not settings.DEBUG and not staffs_any_offering(user):
        raise Http404("This page is for course staff.")
