"""How often one network address may check receipts. Without a cache nothing is counted, and people may check."""

from __future__ import annotations

import hashlib

import structlog
from django.conf import settings
from django.core.cache import cache

from config.redis import Unavailable

log = structlog.get_logger(__name__)


def may_check(address: str) -> bool:
    """Count one check, and say whether it is still within what an address may do in the window."""
    key = "receipt-check:" + hashlib.sha256(address.encode()).hexdigest()
    try:
        cache.add(key, 0, settings.RECEIPT_CHECKS_WINDOW_S)
        return cache.incr(key) <= settings.RECEIPT_CHECKS
    except (Unavailable, ValueError) as error:  # ValueError: the window closed between the two calls
        log.warning("receipt_check_not_counted", error=str(error))
        return True


def sentence() -> str:
    """What someone is told who must wait."""
    minutes = settings.RECEIPT_CHECKS_WINDOW_S // 60
    return (
        f"More than {settings.RECEIPT_CHECKS} receipts were checked from this network address, so this one was not looked at. "
        f"Try again in {minutes} minutes."
    )
