"""The code on the screen: six letters, made from the window's secret and the time, and never stored.

    code = base20(HMAC-SHA256(secret, step)) mod 20^6, step = floor((now - opened_at) / every_s)

The alphabet has 20 consonants: no vowel, so no code is a word; no digit, so a phone's keyboard need not be switched; and no L, which
looks like an I. Case, spaces and hyphens are ignored. The current and the previous code are taken, so a code lives between one step
and two. The server's clock alone decides.

**Why guessing is hopeless.** There are 20^6 = 64,000,000 codes, and at most two are right, so a guess is right once in 32 million. One
person gets `CHECK_IN_TRIES` (10) tries in `CHECK_IN_WINDOW_S` (300 s): at most 20 across the border of two such stretches, and 160 in a
check-in that stays open for 75 minutes. Someone who guesses through all of 34 sessions at that rate makes 5,440 tries and gets into
*one* of them with a probability of 1 in 5,900. One address gets `CHECK_IN_ADDRESS_TRIES` (1,000), whoever sits there.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from attendance.models import CheckInWindow

ALPHABET = "BCDFGHJKMNPQRSTVWXYZ"
LENGTH = 6
CODES = len(ALPHABET) ** LENGTH


def new_secret() -> str:
    """A fresh secret of 256 bits."""
    return secrets.token_hex(32)


def code_at(window: CheckInWindow, moment: datetime) -> str:
    """The code that the screen shows at this moment."""
    return code_of(window.secret, step_at(window, moment))


def step_at(window: CheckInWindow, moment: datetime) -> int:
    """How many codes the window has used up by then."""
    return (moment - window.opened_at) // timedelta(seconds=window.every_s)


def changes_at(window: CheckInWindow, moment: datetime) -> datetime:
    """When the code of this moment leaves the screen."""
    return window.opened_at + timedelta(seconds=window.every_s) * (step_at(window, moment) + 1)


def code_of(secret: str, step: int) -> str:
    """The code of one step."""
    digest = hmac.digest(secret.encode(), step.to_bytes(8, "big"), sha256)
    number = int.from_bytes(digest, "big") % CODES
    letters = []
    for _ in range(LENGTH):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


def shown_at(window: CheckInWindow, code: str) -> int | None:
    """The step at which the window shows this code while it is open; None where it never does."""
    last = step_at(window, window.closes_at)
    return next((step for step in range(last + 1) if code_of(window.secret, step) == code), None)


def tidy(typed: str) -> str:
    """The letters that were typed, as a code has them."""
    return "".join(typed.split()).replace("-", "").upper()


def is_code(text: str) -> bool:
    """Whether a tidy text could be a code at all."""
    return len(text) == LENGTH and set(text) <= set(ALPHABET)


def spaced(code: str) -> str:
    """A code as it is read aloud: `BCD FGH`."""
    return f"{code[: LENGTH // 2]} {code[LENGTH // 2 :]}"
