"""Who may see and change what moves due dates: staff see, instructors grant and revoke, and TAs extensions where they are let."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.due.models import Accommodation, Extension
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment


def may_extend(viewer: Enrollment) -> bool:
    """Whether this person grants and revokes extensions."""
    return viewer.is_instructor or (viewer.is_staff and viewer.offering.tas_extend)


def get_extender(user: User, offering_slug: str) -> Enrollment:
    """The enrollment of someone who grants extensions; raises `Http404` for everyone else."""
    viewer = get_staff_enrollment(user, offering_slug)
    if not may_extend(viewer):
        raise Http404("Instructors grant extensions.")
    return viewer


def get_extension_to_revoke(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Extension]:
    """An extension of the offering, for those who may revoke it."""
    viewer = get_extender(user, offering_slug)
    found = Extension.objects.select_related("enrollment", "assignment").filter(
        pk=pk, enrollment__offering=viewer.offering
    )
    if (extension := found.first()) is None:
        raise Http404("There is no such extension.")
    return viewer, extension


def get_accommodation_to_revoke(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Accommodation]:
    """An accommodation of the offering, for its instructors."""
    viewer = get_instructor_enrollment(user, offering_slug)
    found = Accommodation.objects.select_related("enrollment").filter(pk=pk, enrollment__offering=viewer.offering)
    if (accommodation := found.first()) is None:
        raise Http404("There is no such accommodation.")
    return viewer, accommodation
