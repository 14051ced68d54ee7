"""What the gradebook reads: attendance and participation of every student of an offering, by the instructor's rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from django.db.models import Count, QuerySet

from attendance.models import Attendance, AttendanceRules, ParticipationPoint, Presence
from attendance.rule import ParticipationScore, Tally, score
from attendance.sessions import counting_sessions
from courses.models import Enrollment, Offering

__all__ = ["ParticipationScore", "participation_scores", "rules_of", "tallies"]
# ids of enrollments: a list, or a query that the database joins by itself
Students = Sequence[int] | QuerySet[Enrollment, int]


def participation_scores(offering: Offering) -> dict[int, ParticipationScore]:
    """The score of each active student, by enrollment id. Five queries, whatever the size of the class."""
    rule = rules_of(offering).rule
    students = Enrollment.objects.students().filter(offering=offering).values_list("pk", flat=True)
    return {pk: score(tally, rule) for pk, tally in tallies(offering, students).items()}


def rules_of(offering: Offering) -> AttendanceRules:
    """The offering's rules; the defaults, not stored, where the instructor has set none."""
    return AttendanceRules.objects.filter(offering=offering).first() or AttendanceRules(offering=offering)


def tallies(offering: Offering, students: Students) -> dict[int, Tally]:
    """What was recorded of each of these enrollments, in the sessions that count. Three queries, and one of `students`.

    Whoever has no row in a session that counts was absent from it.
    """
    counting = list(counting_sessions(offering).values_list("pk", flat=True))
    recorded, points = _recorded(counting, students), _points(students)
    return {pk: _tally(len(counting), recorded.get(pk, {}), points.get(pk, Decimal(0))) for pk in students}


def _tally(counting: int, recorded: Mapping[str, int], points: Decimal) -> Tally:
    present, excused = recorded.get(Presence.PRESENT, 0), recorded.get(Presence.EXCUSED, 0)
    return Tally(present, counting - present - excused, excused, Fraction(points))


def _recorded(sessions: Sequence[int], students: Students) -> dict[int, dict[str, int]]:
    """How often each enrollment stands as what, counted by the database: a row a student and presence, not one a session."""
    rows = Attendance.objects.filter(session__in=sessions, enrollment__in=students)
    found: dict[int, dict[str, int]] = defaultdict(dict)
    counted = rows.order_by().values_list("enrollment_id", "presence").annotate(times=Count("pk"))
    for enrollment, presence, times in counted:
        found[enrollment][presence] = times
    return found


def _points(students: Students) -> dict[int, Decimal]:
    """Standing points by enrollment. Added here and not by the database, which would add them as floats on SQLite."""
    rows = ParticipationPoint.objects.standing().filter(enrollment__in=students)
    found: dict[int, Decimal] = defaultdict(Decimal)
    for enrollment, points in rows.order_by().values_list("enrollment_id", "points"):
        found[enrollment] += points
    return found
