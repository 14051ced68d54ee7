"""Who may see and change how grades are made: staff read, instructors change."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from gradebook.models import PolicyChange


def get_change_for(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, PolicyChange]:
    """A change of the offering's scheme, for staff."""
    return _change(get_staff_enrollment(user, offering_slug), pk)


def get_change_to_revert(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, PolicyChange]:
    """The same, for instructors alone."""
    return _change(get_instructor_enrollment(user, offering_slug), pk)


def _change(viewer: Enrollment, pk: int) -> tuple[Enrollment, PolicyChange]:
    changes = PolicyChange.objects.select_related("made_by", "reverted_by").filter(offering=viewer.offering)
    if (change := changes.filter(pk=pk).first()) is None:
        raise Http404("There is no such change.")
    change.offering = viewer.offering
    return viewer, change
