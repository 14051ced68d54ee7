"""Where a grader goes: the next submission, one of them, or the list; always with the filter that the address names."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse

from accounts.http import AuthenticatedHttpRequest
from assignments.models import Assignment
from reviews.queue.access import Desk
from reviews.queue.claims import claim_next
from reviews.queue.filters import QueueFilter
from reviews.queue.lists import neighbours


def to_submission(request: AuthenticatedHttpRequest, assignment: Assignment, pk: int) -> HttpResponseRedirect:
    """Open a submission."""
    url = reverse("queue-submission", args=[assignment.offering.slug, assignment.slug, pk])
    return HttpResponseRedirect(url + QueueFilter.of(request.GET).query)


def to_list(request: AuthenticatedHttpRequest, assignment: Assignment) -> HttpResponseRedirect:
    """Open the list of the assignment."""
    url = reverse("queue-assignment", args=[assignment.offering.slug, assignment.slug])
    return HttpResponseRedirect(url + QueueFilter.of(request.GET).query)


def go_on(request: AuthenticatedHttpRequest, assignment: Assignment, desk: Desk | None = None) -> HttpResponseRedirect:
    """Behind the submission on the desk, if there is one: claim the next to be graded, or step to the next in the filter."""
    shown = QueueFilter.of(request.GET)
    if desk and not shown.claims:
        after = neighbours(desk.all, desk.here, shown)[1]
        if after:
            return to_submission(request, assignment, after.submission_pk)
        messages.success(request, "That was the last one in this list.")
        return to_list(request, assignment)
    taken = claim_next(assignment=assignment, grader=request.user, after=desk.here.submission_pk if desk else None)
    if taken:
        return to_submission(request, assignment, taken.submission_pk)
    messages.success(request, "Nothing is left for you here: all are graded, or another grader reads them now.")
    return to_list(request, assignment)
