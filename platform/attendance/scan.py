"""Someone who scans the picture before signing in has until then scanned nothing, as far as the platform knows who they are.

So the browser keeps the code and the server's time in a signed cookie for five minutes, and the code is read as of that time. Nothing is
looked up before the sign-in: whether the code was right is learned once somebody is there whose tries are counted.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from attendance.check_in import SCAN_COUNTS_FOR
from attendance.codes import is_code, tidy
from config import clock

COOKIE, SALT = "scan", "attendance.scan"


def remember(response: HttpResponseBase, offering_slug: str, typed: str) -> None:
    """Keep what was scanned, if it could be a code."""
    if not is_code(code := tidy(typed)):
        return
    response.set_signed_cookie(
        COOKIE,
        f"{code}.{clock.now().timestamp()}",
        salt=SALT,
        max_age=int(SCAN_COUNTS_FOR.total_seconds()),
        path=reverse("here", args=[offering_slug]),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def recall(request: HttpRequest, typed: str) -> datetime | None:
    """When this browser scanned this very code; None where it did not, or where the cookie is not ours."""
    kept = request.get_signed_cookie(COOKIE, default="", salt=SALT)
    code, _, at = str(kept or "").partition(".")
    return datetime.fromtimestamp(float(at), UTC) if code and code == tidy(typed) else None


def forget(response: HttpResponseBase, offering_slug: str) -> None:
    """It has served."""
    response.delete_cookie(COOKIE, path=reverse("here", args=[offering_slug]), samesite="Lax")
