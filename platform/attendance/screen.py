"""What the projector shows: the code, the picture that a phone scans, and how many are in. No names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil

import segno
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from attendance.codes import changes_at, code_at, spaced
from attendance.models import CheckInWindow
from attendance.selectors import turnout
from config import clock
from courses.models import Session

REFRESH_S = 2


@dataclass(frozen=True)
class ScreenPage:
    """The session and its turnout; while its check-in is open, the code with its picture and how long both stand."""

    session: Session
    present: int
    enrolled: int
    window: CheckInWindow | None = None
    code: str = ""
    picture: SafeString | None = None
    address: str = ""
    changes_in_s: int = 0
    left_s: int = 0
    refresh_ms: int = REFRESH_S * 1000

    @property
    def left(self) -> str:
        """How long the check-in stands: `4:05`."""
        return f"{self.left_s // 60}:{self.left_s % 60:02}"


def screen_page(request: HttpRequest, session: Session) -> ScreenPage:
    """What stands on the screen now. Two queries."""
    now = clock.now()
    present, enrolled = turnout(session)
    window = CheckInWindow.objects.open_at(now).filter(session=session).first()
    if window is None:
        return ScreenPage(session, present, enrolled)
    code = code_at(window, now)
    address = request.build_absolute_uri(reverse("here", args=[session.offering.slug]))
    changes_in = _seconds(changes_at(window, now), now)
    return ScreenPage(
        session=session,
        present=present,
        enrolled=enrolled,
        window=window,
        code=spaced(code),
        picture=picture_of(f"{address}?{urlencode({'code': code})}"),
        address=address.split("://", 1)[-1],
        changes_in_s=ceil(changes_in),
        left_s=ceil(_seconds(window.closes_at, now)),
        refresh_ms=int(min(REFRESH_S, changes_in) * 1000) + 50,
    )


def picture_of(address: str) -> SafeString:
    """A QR code as inline SVG; its colours come from the style sheet, which keeps it dark on light in both themes."""
    made = segno.make(address, error="m", micro=False)
    svg = made.svg_inline(svgclass="qr", lineclass=None, omitsize=True, border=4)
    return mark_safe(svg)  # noqa: S308 - lines of the library; the address is drawn and never written


def _seconds(moment: datetime, now: datetime) -> float:
    return max((moment - now).total_seconds(), 0)
