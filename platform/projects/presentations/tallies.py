"""The marks of talks as they count, read from the database in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from courses.models import Offering
from projects.presentations.arithmetic import Weighing, mean, points
from projects.presentations.models import Criterion, PresentationRules, Rating, StaffMark


@dataclass(frozen=True)
class Tally:
    """One talk: classmates' marks by rater, and each staff member's marks by criterion. Raters are ids of enrollments."""

    classmates: Mapping[int, int]
    staff: Mapping[int, Mapping[str, int]]
    weighing: Weighing

    @property
    def classmates_mean(self) -> Fraction | None:
        """The plain mean of the marks."""
        return mean(self.classmates.values())

    @property
    def staff_mean(self) -> Fraction | None:
        """The mean over staff of each one's mean of the criteria."""
        return mean([value for marks in self.staff.values() if (value := mean(marks.values())) is not None])

    @property
    def criteria(self) -> tuple[tuple[str, Fraction], ...]:
        """The staff's mean of each criterion that was marked, by its label."""
        means = (
            (label, mean([marks[name] for marks in self.staff.values() if name in marks]))
            for name, label in Criterion.choices
        )
        return tuple((str(label), value) for label, value in means if value is not None)

    @property
    def points(self) -> Fraction | None:
        """The score, of 100; None where nobody rated."""
        return points(self.staff_mean, self.classmates_mean, self.weighing)


def rules_of(offering: Offering) -> PresentationRules:
    """The offering's rules; those that hold unless somebody decides, where none are stored. One query."""
    return PresentationRules.objects.filter(offering=offering).first() or PresentationRules(offering=offering)


def weighing_of(rules: PresentationRules) -> Weighing:
    """What of the rules decides scores."""
    return Weighing(Fraction(rules.staff_share, 100), rules.scale)


def tallies(talks: Collection[int], weighing: Weighing) -> dict[int, Tally]:
    """By id of the talk, every one of them. Two queries."""
    classmates: dict[int, dict[int, int]] = defaultdict(dict)
    for talk, rater, score in Rating.objects.counting().filter(talk__in=talks).values_list("talk", "rater", "score"):
        classmates[talk][rater] = score
    staff: dict[int, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    marks = StaffMark.objects.filter(rating__talk__in=talks).order_by("rating", "pk")
    for talk, rater, criterion, score in marks.values_list("rating__talk", "rating__rater", "criterion", "score"):
        staff[talk][rater][criterion] = score
    return {talk: Tally(classmates[talk], staff[talk], weighing) for talk in talks}
