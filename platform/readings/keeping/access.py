"""Who may keep the reading list: instructors of the offering, and for everyone else it is not there."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404

from accounts.models import User
from courses.access import get_instructor_enrollment
from courses.models import Enrollment, Role
from readings.models import Reading


def get_reading_to_keep(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Reading]:
    """A reading of the list; raises `Http404` for everyone but instructors, and where it is not on the list."""
    return _reading(user, offering_slug, slug, archived=False)


def get_reading_to_restore(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Reading]:
    """A reading, archived or back on the list already."""
    return _reading(user, offering_slug, slug, archived=True)


def offerings_to_copy_to(enrollment: Enrollment) -> QuerySet[Enrollment]:
    """The person's places as instructor of other offerings, the one that starts last first."""
    places = Enrollment.objects.active().filter(user=enrollment.user, role=Role.INSTRUCTOR)
    others = places.exclude(offering=enrollment.offering).select_related("offering__course")
    return others.order_by("-offering__starts_on", "offering__slug")


def _reading(user: User, offering_slug: str, slug: str, *, archived: bool) -> tuple[Enrollment, Reading]:
    enrollment = get_instructor_enrollment(user, offering_slug)
    readings = Reading.objects.of(enrollment.offering).select_related("assignment__offering")
    reading = (readings if archived else readings.listed()).filter(assignment__slug=slug).first()
    if reading is None:
        raise Http404("There is no such reading.")
    return enrollment, reading
