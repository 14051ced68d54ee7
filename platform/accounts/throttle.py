"""Failed sign-ins, counted by e-mail address and network address. Without a cache nothing is counted, and people get in."""

from __future__ import annotations

import hashlib

import structlog
from django.conf import settings
from django.core.cache import cache

from config.redis import Unavailable

log = structlog.get_logger(__name__)


def is_blocked(email: str, address: str) -> bool:
    """Whether this pair failed too often within the window."""
    try:
        return int(cache.get(_key(email, address), 0)) >= settings.SIGN_IN_FAILURES
    except Unavailable as error:
        log.warning("sign_in_failures_not_read", error=str(error))
        return False


def count_failure(email: str, address: str) -> None:
    """Remember one failure until the window closes."""
    key = _key(email, address)
    try:
        if not cache.add(key, 1, settings.SIGN_IN_WINDOW_S):
            cache.incr(key)
    except (Unavailable, ValueError) as error:  # ValueError: the count ran out between the two calls
        log.warning("sign_in_failure_not_counted", error=str(error))


def forget(email: str, address: str) -> None:
    """Start anew after a success."""
    try:
        cache.delete(_key(email, address))
    except Unavailable as error:
        log.warning("sign_in_failures_not_forgotten", error=str(error))


def sentence() -> str:
    """What someone is told who must wait."""
    minutes = settings.SIGN_IN_WINDOW_S // 60
    return (
        f"There were {settings.SIGN_IN_FAILURES} failed sign-ins for this address, so sign-in is closed for it. "
        f"Try again in {minutes} minutes, or ask your instructor for help."
    )


def _key(email: str, address: str) -> str:
    return "sign-in:" + hashlib.sha256(f"{email.strip().lower()}\n{address}".encode()).hexdigest()
