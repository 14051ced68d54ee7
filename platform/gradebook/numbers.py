"""Exact numbers as people read them. A score is cut, never rounded up: what is shown as 90 has reached 90."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

HUNDREDTHS = 100


def plain(value: Fraction | Decimal | int) -> str:
    """At most two decimals, without needless zeros: 14, 13.6, 89.99. What lies beyond is cut off, towards zero."""
    exact = Fraction(value)
    cut = abs(exact).numerator * HUNDREDTHS // abs(exact).denominator
    whole, rest = divmod(cut, HUNDREDTHS)
    sign = "-" if exact < 0 and cut else ""
    return sign + (f"{whole}.{rest:02}".rstrip("0") if rest else str(whole))


def percent(value: Fraction | Decimal | int) -> str:
    """The same as a percentage: `20 %`."""
    return f"{plain(value)} %"
