"""Who may see and take snapshots: staff see them, instructors take them, freeze by them and lift."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from gradebook.models import Snapshot


def get_snapshot_for(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Snapshot]:
    """A snapshot of the offering, for staff."""
    viewer = get_staff_enrollment(user, offering_slug)
    return viewer, snapshot_in(viewer, pk)


def get_snapshot_to_lift(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Snapshot]:
    """The same, for instructors alone."""
    viewer = get_instructor_enrollment(user, offering_slug)
    return viewer, snapshot_in(viewer, pk)


def snapshot_in(viewer: Enrollment, pk: int) -> Snapshot:
    """A snapshot of the viewer's offering; raises `Http404` for one of another."""
    snapshots = Snapshot.objects.select_related("taken_by", "lifted_by").filter(offering=viewer.offering)
    if (snapshot := snapshots.filter(pk=pk).first()) is None:
        raise Http404("There is no such snapshot.")
    snapshot.offering = viewer.offering
    return snapshot
