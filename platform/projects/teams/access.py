"""Who may see and change teams: students their own until the lock, staff all of them, instructors the rules."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from courses.access import get_enrollment, get_staff_enrollment
from courses.models import Enrollment
from projects.teams.models import Invitation, Team
from projects.teams.selectors import team_of


def get_student_enrollment(user: User, slug: str) -> Enrollment:
    """The enrollment of a student; raises `Http404` for everyone else, staff among them: they have no team."""
    enrollment = get_enrollment(user, slug)
    if not enrollment.is_student:
        raise Http404("This page is for students.")
    return enrollment


def get_invitation_for(user: User, slug: str, pk: int) -> tuple[Enrollment, Invitation]:
    """An invitation that concerns the student: to them or by them, or of their team. Answered ones, too: a page may be old."""
    enrollment = get_student_enrollment(user, slug)
    found = Invitation.objects.select_related("team__offering", "enrollment__user", "enrollment__offering")
    invitation = found.filter(pk=pk, team__offering=enrollment.offering).first()
    if invitation is None or not _concerns(invitation, enrollment):
        raise Http404("There is no such invitation.")
    return enrollment, invitation


def get_classmate_for(user: User, slug: str, pk: int) -> tuple[Enrollment, Enrollment]:
    """A student, and another student of the same offering."""
    enrollment = get_student_enrollment(user, slug)
    students = Enrollment.objects.students().select_related("user", "offering")
    if (found := students.filter(pk=pk, offering=enrollment.offering).first()) is None:
        raise Http404("There is no such student.")
    return enrollment, found


def get_team_to_ask(user: User, slug: str, pk: int) -> tuple[Enrollment, Team]:
    """A student, and a team of the same offering; whether it takes anybody is decided when it is asked."""
    enrollment = get_student_enrollment(user, slug)
    team = Team.objects.select_related("offering").filter(pk=pk, offering=enrollment.offering).first()
    if team is None:
        raise Http404("There is no such team.")
    return enrollment, team


def get_team_for_staff(user: User, slug: str, pk: int) -> tuple[Enrollment, Team]:
    """A team of the offering, disbanded ones among them, for its staff."""
    viewer = get_staff_enrollment(user, slug)
    team = Team.objects.select_related("offering", "size_exception_by").filter(pk=pk, offering=viewer.offering).first()
    if team is None:
        raise Http404("There is no such team.")
    return viewer, team


def _concerns(invitation: Invitation, enrollment: Enrollment) -> bool:
    return invitation.enrollment_id == enrollment.pk or team_of(enrollment) == invitation.team
