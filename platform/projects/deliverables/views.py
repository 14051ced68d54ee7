"""A deliverable: what is asked for, handing it in, and what was handed in. Each act works as a plain form."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.lists import sought
from courses.models import Enrollment
from courses.pages import render_page
from projects.deliverables import services
from projects.deliverables.access import (
    get_deliverable_for,
    get_deliverable_submission_for,
    get_own_deliverable_for,
)
from projects.deliverables.models import Deliverable
from projects.deliverables.overview import overview_page
from projects.deliverables.page import deliverable_page
from projects.deliverables.result import result_page
from projects.deliverables.services import Work
from submissions.models import Submission
from submissions.services import IncomingFile, SubmissionRefused

TOKEN_MAX, URL_KEPT = 64, 1000


@signed_in
@require_safe
def deliverable(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """For students what is asked for and their team's work; for staff who handed in. In the address: `q`, `page`."""
    enrollment, found = get_deliverable_for(request.user, offering, slug)
    if enrollment.is_staff:
        q, number = sought(request)
        page = overview_page(enrollment, found, q=q, number=number)
        return render_page(request, "deliverables/overview.html", page, enrollment=enrollment)
    own = deliverable_page(enrollment, found, client_token=secrets.token_urlsafe(24))
    return render_page(request, "deliverables/deliverable.html", own, enrollment=enrollment)


@signed_in
@require_POST
def submit(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """Hand in for the team. Fields: the files `pdf` and `code`, `url`, `client_token`. A refusal comes back with the address."""
    enrollment, found = get_own_deliverable_for(request.user, offering, slug)
    work, token = _posted(request), request.POST.get("client_token", "")[:TOKEN_MAX]
    try:
        made = services.hand_in(
            assignment=found.assignment,
            enrollment=enrollment,
            work=work,
            client_token=token.replace("\0", ""),
            received_at=request.received_at,
        )
    except SubmissionRefused as refusal:
        return _refused(request, enrollment, found, work, refusal)
    messages.success(request, _thanks(made))
    to = reverse("deliverable-submission", args=[made.pk])
    return HttpResponseClientRedirect(to) if request.htmx else redirect(to)


@signed_in
@require_safe
def submission(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """What was handed in, with its receipt and its marks."""
    access = get_deliverable_submission_for(request.user, pk)
    return render_page(request, "deliverables/submission.html", result_page(access), enrollment=access.viewer)


def _posted(request: AuthenticatedHttpRequest) -> Work:
    url = request.POST.get("url", "").replace("\0", "")[:URL_KEPT]
    return Work(_file(request, "pdf"), _file(request, "code"), url)


def _file(request: AuthenticatedHttpRequest, field: str) -> IncomingFile | None:
    sent = request.FILES.get(field)
    return IncomingFile(sent.name or "", sent.read()) if sent else None


def _refused(
    request: AuthenticatedHttpRequest,
    enrollment: Enrollment,
    deliverable: Deliverable,
    work: Work,
    refusal: SubmissionRefused,
) -> HttpResponse:
    """The page again, with the reason and the address; htmx takes the reason out of it, so that the files stay chosen."""
    page = deliverable_page(
        enrollment, deliverable, client_token=secrets.token_urlsafe(24), refusal=refusal, url=work.url
    )
    return render_page(request, "deliverables/deliverable.html", page, enrollment=enrollment, status=422)


def _thanks(made: Submission) -> str:
    whose = f"for {made.shared_as}. Each of its members gets the receipt by mail" if made.is_shared else "for you"
    return f"Handed in {whose}. You may hand in again until it is due; the last one counts."
