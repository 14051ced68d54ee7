"""Reading what came back from the student's side: plain data of any form, so it is looked at before it is used."""

from __future__ import annotations

from typing import Any

import numpy as np


def field(expect: Any, got: Any, name: str) -> Any:
    """One entry of an answer."""
    expect.that(isinstance(got, dict) and name in got, f"the call returned no {name}")
    return got[name]


def pair(expect: Any, got: Any) -> list[Any]:
    """An answer that must be two things."""
    expect.that(isinstance(got, list) and len(got) == 2, "the call returned no pair")
    return list(got)


def number(expect: Any, got: Any, what: str) -> float:
    """An answer that must be one finite number that is not negative."""
    plain = got.item() if isinstance(got, np.ndarray) and got.shape == () else got
    expect.that(type(plain) in {int, float} and 0 <= plain < 1e300, f"{what} should be a number, got {str(got)[:60]}")
    return float(plain)
