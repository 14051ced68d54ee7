"""Who may see and do what: staff take attendance, instructors set the rule, students check in and see their own record."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from attendance.models import ParticipationPoint
from courses.access import get_enrollment, get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment, Session


def get_student(user: User, offering_slug: str) -> Enrollment:
    """The viewer as a student of the offering; raises `Http404` for staff, strangers and those who dropped."""
    enrollment = get_enrollment(user, offering_slug)
    if not enrollment.is_student:
        raise Http404("Students check in; staff open the check-in.")
    return enrollment


def get_session_for(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Session]:
    """A session of the offering, for staff."""
    viewer = get_staff_enrollment(user, offering_slug)
    return viewer, _session(viewer, pk)


def get_session_to_leave_out(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Session]:
    """The same, for instructors: leaving a session out changes everybody's score."""
    viewer = get_instructor_enrollment(user, offering_slug)
    return viewer, _session(viewer, pk)


def get_student_for(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Enrollment]:
    """An active student of the offering, for staff."""
    viewer = get_staff_enrollment(user, offering_slug)
    found = Enrollment.objects.students().filter(offering=viewer.offering, pk=pk)
    if (student := found.select_related("user", "offering").first()) is None:
        raise Http404("There is no such student.")
    return viewer, student


def get_point_to_withdraw(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, ParticipationPoint]:
    """Participation points of the offering, for staff."""
    viewer = get_staff_enrollment(user, offering_slug)
    found = ParticipationPoint.objects.filter(enrollment__offering=viewer.offering, pk=pk)
    if (point := found.select_related("enrollment__user").first()) is None:
        raise Http404("There are no such points.")
    return viewer, point


def _session(viewer: Enrollment, pk: int) -> Session:
    found = Session.objects.filter(offering=viewer.offering, pk=pk)
    if (session := found.select_related("offering", "left_out").first()) is None:
        raise Http404("There is no such session.")
    return session
