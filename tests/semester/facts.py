"""What happened in a simulated semester, in plain numbers: written down as it happens, beside the product and not by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Attempt:
    """One submission of a lab: points of each task, by its number, of so many; what staff set stands in `overrides`."""

    points: dict[str, Fraction]
    out_of: dict[str, Fraction]
    overrides: dict[str, Fraction] = field(default_factory=dict)


@dataclass
class Marked:
    """Work that is marked by hand: an item's points each, of so many in all, and an adjustment of the whole."""

    marks: list[int]
    out_of: int
    adjustment: int = 0


@dataclass
class Student:
    """One student. What is not in a dictionary was not handed in."""

    name: str
    dropped: bool = False
    presences: list[str] = field(default_factory=list)
    participation: Fraction = Fraction(0)
    labs: dict[str, list[Attempt]] = field(default_factory=dict)
    readings: dict[str, Marked] = field(default_factory=dict)
    reports: dict[str, Marked] = field(default_factory=dict)
    spoke: bool = False
    staff_marks: list[list[int]] = field(default_factory=list)
    class_marks: list[int] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    decided: dict[str, Fraction] = field(default_factory=dict)


@dataclass
class Rules:
    """What the syllabus says, as the instructor set it."""

    weights: dict[str, int]
    free_absences: int
    participation_percent: int
    participation_target: int
    labs: list[str]
    readings: list[str]
    drop_lowest_readings: int = 0
