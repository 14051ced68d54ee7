"""What the demo's latest PDFs look like. The checks are asked for as the front door does it, so the demo's own worker makes them."""

from __future__ import annotations

from django.db import transaction

from assignments.models import Kind
from courses.models import Offering
from projects.format.services import request_check
from submissions.models import SubmittedFile

MOST = 4  # the first lab's result is what a demo is waited for


@transaction.atomic
def seed_formats(offering: Offering) -> int:
    """Ask for the checks of the last few PDFs; returns how many. A second time asks for none anew."""
    handed_in = SubmittedFile.objects.filter(
        submission__assignment__offering=offering, submission__assignment__kind=Kind.DELIVERABLE, name__iendswith=".pdf"
    )
    latest = list(handed_in.order_by("-submission__created_at", "-pk")[:MOST])
    for file in latest:
        request_check(file=file)
    return len(latest)
