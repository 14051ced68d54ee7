"""What every page of an offering shares: the state chip, and the one way to render a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format

from accounts.http import AuthenticatedHttpRequest
from courses.models import Enrollment

ChipKind = Literal["pass", "fail", "warn", "run", "muted"]


@dataclass(frozen=True)
class StateChip:
    """A state as icon, word and colour; `kind` chooses the colour, and the icon where none is named."""

    kind: ChipKind
    label: str
    icon: str = ""


def day(moment: datetime) -> str:
    """A day as it is named in a chip, in the current zone: "3 Mar"."""
    return date_format(timezone.localtime(moment), "j M")


def render_page(
    request: AuthenticatedHttpRequest, template: str, page: object, *, enrollment: Enrollment, status: int = 200
) -> HttpResponse:
    """Render `template` with `page`, in the offering's time zone and with its navigation."""
    request.enrollment = enrollment
    context = {"page": page, "enrollment": enrollment, "offering": enrollment.offering}
    with timezone.override(enrollment.offering.zone):
        return render(request, template, context, status=status)
