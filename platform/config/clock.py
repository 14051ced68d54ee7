"""The platform's clock. Deadlines, receipts and leases all read it, so that a demo may live in another month."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils import timezone


def now() -> datetime:
    """The moment, aware, in UTC."""
    return timezone.now() + settings.CLOCK_OFFSET
