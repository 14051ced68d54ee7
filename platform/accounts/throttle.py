"""Sign-ins, counted by e-mail address and network address until one succeeds. Without a cache nothing is counted, and people get in."""

from __future__ import annotations

import hashlib

import structlog
from django.conf import settings
from django.core.cache import cache

from config.redis import Unavailable

log = structlog.get_logger(__name__)


def may_try(email: str, address: str, most: int) -> bool:
    """Count one try of this pair, and say whether it is among the `most` that they may do until the window closes.

    It is counted before anything is checked, so that a hundred at the same moment are a hundred.
    """
    key = _key(email, address)
    try:
        cache.add(key, 0, settings.SIGN_IN_WINDOW_S)
        return cache.incr(key) <= most
    except (Unavailable, ValueError) as error:  # ValueError: the count ran out between the two calls
        log.warning("sign_in_try_not_counted", error=str(error))
        return True


def forget(email: str, address: str) -> None:
    """Start anew after a success."""
    try:
        cache.delete(_key(email, address))
    except Unavailable as error:
        log.warning("sign_in_tries_not_forgotten", error=str(error))


def sentence() -> str:
    """What someone is told who must wait."""
    minutes = settings.SIGN_IN_WINDOW_S // 60
    return (
        f"There were {settings.SIGN_IN_FAILURES} failed sign-ins for this address, so sign-in is closed for it. "
        f"Try again in {minutes} minutes, or ask your instructor for help."
    )


def _key(email: str, address: str) -> str:
    return "sign-in:" + hashlib.sha256(f"{email.strip().lower()}\n{address}".encode()).hexdigest()
