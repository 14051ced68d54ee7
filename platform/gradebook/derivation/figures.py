"""Exact fractions as people read them: decimals, marked where they were rounded."""

from __future__ import annotations

from fractions import Fraction

PLACES, MOST_PLACES = 2, 6
HUNDREDTHS = 10**2
ABOUT = "≈"


def figure(value: Fraction) -> str:
    """`57.5`, or `≈57.44` where two decimals are not all of it."""
    text = plain(value)
    return text if is_exact(value) else f"{ABOUT}{text}"


def plain(value: Fraction) -> str:
    """Two decimals at most, rounded half up. What is no whole number does not look like one: 89.996 keeps its third decimal."""
    if is_exact(value):
        return _decimals(value, PLACES)
    texts = (_decimals(value, places) for places in range(PLACES, MOST_PLACES))
    return next((text for text in texts if "." in text), _decimals(value, MOST_PLACES))


def percent(share: Fraction) -> str:
    """A share of 1 as percent: `≈57.44 %`."""
    return f"{figure(share * 100)} %"


def is_exact(value: Fraction) -> bool:
    """Whether two decimals are all of it."""
    return HUNDREDTHS % value.denominator == 0


def _decimals(value: Fraction, places: int) -> str:
    units = (abs(value.numerator) * 10**places * 2 + value.denominator) // (2 * value.denominator)
    whole, rest = divmod(units, 10**places)
    text = f"{whole}.{rest:0{places}}".rstrip("0").rstrip(".")
    return f"−{text}" if value < 0 and units else text
