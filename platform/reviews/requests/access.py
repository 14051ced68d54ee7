"""Who may ask, see and answer: a submission's student or any of its authors asks, they and staff see, staff answer."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from courses.access import get_staff_enrollment
from courses.models import Enrollment
from reviews.models import RubricItem
from reviews.requests.models import RegradeRequest
from submissions.access import SubmissionAccess, get_submission_for


def get_own_submission_for(user: User, pk: int) -> SubmissionAccess:
    """A submission, for its student or its authors; raises `Http404` for everyone else, staff included."""
    access = get_submission_for(user, pk)
    if not access.is_own:
        raise Http404("Only students whose score it is ask for another look.")
    return access


def get_request_to_withdraw(user: User, pk: int) -> RegradeRequest:
    """A request, for the student who asked; teammates may not take it back."""
    found = RegradeRequest.objects.select_related("submission").filter(pk=pk).first()
    if found is None:
        raise Http404("There is no such request.")
    if get_own_submission_for(user, found.submission_id).viewer.pk != found.asked_by_id:
        raise Http404("The student who asked withdraws a request.")
    return found


def get_request_for(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, RegradeRequest]:
    """A request about a score of the offering, for its staff."""
    viewer = get_staff_enrollment(user, offering_slug)
    found = RegradeRequest.objects.of_offering(viewer.offering).with_people()
    request = found.select_related("submission__assignment__offering", "submission__enrollment__user").filter(pk=pk)
    if (first := request.first()) is None:
        raise Http404("There is no such request.")
    return viewer, first


def item_of(access: SubmissionAccess, item_pk: int | None) -> RubricItem | None:
    """An item of the submission's rubric; None for the whole score. Raises `Http404` for any other item."""
    if item_pk is None:
        return None
    item = RubricItem.objects.filter(rubric__assignment=access.submission.assignment_id, pk=item_pk).first()
    if item is None:
        raise Http404("The rubric has no such item.")
    return item
