"""Numbers of schemes and scores as people read them, whichever type holds them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from gradebook.derivation import figures


def plain(value: Fraction | Decimal | int) -> str:
    """At most two decimals, without needless zeros; what has not reached a whole number never looks like it: 89.996."""
    return figures.plain(Fraction(value))


def percent(value: Fraction | Decimal | int) -> str:
    """The same as a percentage: `20 %`."""
    return f"{plain(value)} %"
