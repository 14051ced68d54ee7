"""What the course of this benchmark is called, for those inside the site and those in front of it."""

from __future__ import annotations

from dataclasses import dataclass

OFFERING, LAB = "rush", "tiny"
LAB_PAGE = f"/o/{OFFERING}/labs/{LAB}/"


@dataclass(frozen=True)
class Visitor:
    """Somebody who signed in before the clock ran."""

    email: str
    session: str
