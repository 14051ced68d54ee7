"""How often one person, and one network address, may try a code. Without a cache nothing is counted, and codes are looked at.

Every try is counted before its code is looked at, so that a hundred at the same moment are a hundred. Time is cut into stretches of
`CHECK_IN_WINDOW_S`, by which the wait is known to the second. A right code gives its try back to the address: a class of 600 behind one
address checks in without ever meeting the limit, and a machine that guesses for many accounts does.
"""

from __future__ import annotations

import hashlib
from math import ceil

import structlog
from django.conf import settings
from django.core.cache import cache

from config import clock
from config.redis import Unavailable

log = structlog.get_logger(__name__)


def may_try(person: int, address: str) -> bool:
    """Count one try of this enrollment from this address, and say whether both are still within what they may do."""
    mine = _count(_key("person", str(person)), settings.CHECK_IN_TRIES)
    return _count(_key("address", address), settings.CHECK_IN_ADDRESS_TRIES) and mine


def give_back(address: str) -> None:
    """Take the try of a right code off the address's count."""
    try:
        cache.decr(_key("address", address))
    except (Unavailable, ValueError) as error:  # ValueError: the stretch ended meanwhile
        log.warning("check_in_try_not_given_back", error=str(error))


def sentence() -> str:
    """What someone is told who must wait, and for how long."""
    minutes = ceil(_left_s() / 60)
    return (
        f"There were more than {settings.CHECK_IN_TRIES} tries from you, or very many from your network, so this code was not looked at. "
        f"Wait {minutes} minute{'' if minutes == 1 else 's'}, then type the code that is on the screen. "
        "If the check-in closes meanwhile, tell your instructor, who can record you."
    )


def _count(key: str, most: int) -> bool:
    try:
        cache.add(key, 0, settings.CHECK_IN_WINDOW_S)
        return cache.incr(key) <= most
    except (Unavailable, ValueError) as error:  # ValueError: the stretch ended between the two calls
        log.warning("check_in_try_not_counted", error=str(error))
        return True


def _left_s() -> float:
    return settings.CHECK_IN_WINDOW_S - clock.now().timestamp() % settings.CHECK_IN_WINDOW_S


def _key(kind: str, who: str) -> str:
    stretch = int(clock.now().timestamp() // settings.CHECK_IN_WINDOW_S)
    return "check-in:" + hashlib.sha256(f"{kind}\n{who}\n{stretch}".encode()).hexdigest()
