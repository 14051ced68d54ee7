"""Who may see an offering. A stranger gets 404: whether a page exists is not theirs to learn."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from courses.models import Enrollment


def get_enrollment(user: User, slug: str) -> Enrollment:
    """The person's place in the offering; raises `Http404` for strangers and for those who dropped."""
    enrollment = (
        Enrollment.objects.active()
        .select_related("offering__course", "user")
        .filter(user=user, offering__slug=slug)
        .first()
    )
    if enrollment is None:
        raise Http404("You have no access to this offering.")
    return enrollment


def get_staff_enrollment(user: User, slug: str) -> Enrollment:
    """The same, for instructors and TAs alone."""
    enrollment = get_enrollment(user, slug)
    if not enrollment.is_staff:
        raise Http404("This page is for course staff.")
    return enrollment


def get_instructor_enrollment(user: User, slug: str) -> Enrollment:
    """The same, for instructors alone."""
    enrollment = get_enrollment(user, slug)
    if not enrollment.is_instructor:
        raise Http404("This page is for instructors.")
    return enrollment


def staffs_any_offering(user: User) -> bool:
    """Whether the person is instructor or TA anywhere."""
    return Enrollment.objects.staff().filter(user=user).exists()


def first_enrollment(user: User) -> Enrollment | None:
    """Where the front door leads: the offering that started last."""
    enrollments = Enrollment.objects.active().select_related("offering").filter(user=user)
    return enrollments.order_by("-offering__starts_on", "pk").first()
