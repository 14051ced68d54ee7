"""Whose transcript is whose: staff may open anybody's, students their own once letters are theirs to see."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from accounts.models import User
from courses.access import get_enrollment, get_staff_enrollment
from courses.models import Enrollment, Role
from exchange.numbers import is_sealed
from gradebook.models import GradePolicy


def get_student_for(user: User, slug: str, pk: int) -> tuple[Enrollment, Enrollment]:
    """The viewer, who is staff, and a student of the offering, also one who dropped; raises `Http404` otherwise."""
    viewer = get_staff_enrollment(user, slug)
    students = Enrollment.objects.select_related("user", "offering__course")
    return viewer, get_object_or_404(students, pk=pk, offering=viewer.offering, role=Role.STUDENT)


def get_own_transcript_for(user: User, slug: str) -> Enrollment:
    """The student; raises `Http404` for staff, and while the grades are not final and letters are not shown."""
    enrollment = get_enrollment(user, slug)
    if not enrollment.is_student or not may_see_own(enrollment):
        raise Http404("There is no transcript yet.")
    return enrollment


def may_see_own(student: Enrollment) -> bool:
    """Whether students of the offering see letters: they are final, or the policy shows them before. Two queries at most."""
    shown = GradePolicy.objects.filter(offering=student.offering, show_letters=True)
    return is_sealed(student.offering) or shown.exists()
