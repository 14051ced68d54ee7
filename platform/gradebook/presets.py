"""The schemes that the course published, as data to start an offering from."""

from __future__ import annotations

from decimal import Decimal

# (kind, name, number of equal parts)
COMPONENTS = (
    ("participation", "Attendance and class participation", 1),
    ("labs", "Lab assignments", 3),
    ("readings", "Reading summaries", 10),
    ("presentation", "Final research project presentation", 1),
    ("proposal", "Project proposal", 1),
    ("midterm", "Mid-term report", 1),
    ("final", "Final report", 1),
)

_COMMON = {"participation": 20, "labs": 21, "readings": 20, "proposal": 5, "midterm": 5}
WEIGHTS = {"A": _COMMON | {"presentation": 14, "final": 15}, "B": _COMMON | {"presentation": 15, "final": 14}}

# letter, absolute score from which it is reached, share of the class in percent from the top
LETTERS = (
    ("A+", 95, 5),
    ("A", 90, 10),
    ("A-", 85, 15),
    ("B+", 80, 15),
    ("B", 75, 15),
    ("B-", 70, 15),
    ("C+", 65, 5),
    ("C", 60, 5),
    ("C-", 55, 5),
    ("D", 50, 5),
    ("F", 0, 5),
)


def weights(scheme: str) -> dict[str, Decimal]:
    """The weights of scheme A or B, in percent, by component kind."""
    return {kind: Decimal(weight) for kind, weight in WEIGHTS[scheme].items()}
