"""Who may see similar texts: staff of the offering whose assignment was searched. Students never do."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.models import Assignment, Kind
from courses.access import get_staff_enrollment
from courses.models import Enrollment
from reviews.similar.models import SimilarPair

SIDES = ("first", "second")


def get_pair_for_staff(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, SimilarPair]:
    """A pair, for staff; raises `Http404` for everyone else, the two students included."""
    enrollment = get_staff_enrollment(user, offering_slug)
    people = [f"{side}__{path}" for side in SIDES for path in ("enrollment__user", "assignment__offering")]
    pairs = SimilarPair.objects.select_related("assignment", "decided_by", *people)
    pair = pairs.filter(assignment__offering=enrollment.offering, pk=pk).first()
    if pair is None:
        raise Http404("There is no such pair.")
    return enrollment, pair


def get_searched_assignment(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Assignment]:
    """A reading of the offering, for staff; raises `Http404` for everyone else."""
    enrollment = get_staff_enrollment(user, offering_slug)
    assignment = enrollment.offering.assignments.select_related("offering").filter(slug=slug, kind=Kind.READING).first()
    if assignment is None:
        raise Http404("There is no such reading.")
    return enrollment, assignment
