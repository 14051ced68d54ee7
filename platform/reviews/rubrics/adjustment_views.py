"""Adjustments of a submission's marks, for staff: a page of their own, and forms that other pages include."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.pages import render_page
from reviews.marking.adjustments import adjustments_of, put_back, withdraw
from reviews.marking.services import ReviewRefused, adjust
from reviews.rubrics.access import get_adjustment_for
from reviews.rubrics.forms import AdjustmentForm, typed_text
from submissions.access import SubmissionAccess, get_staff_submission_for


@signed_in
@require_safe
def adjustments(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """All adjustments of a submission, and the form that makes one."""
    return _page(request, get_staff_submission_for(request.user, pk))


@signed_in
@require_POST
def add(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Add or take points, with a reason. Fields: `points`, `reason`, and `next`, where to go afterwards."""
    access, form = get_staff_submission_for(request.user, pk), AdjustmentForm(request.POST)
    if not form.is_valid():
        return _page(request, access, refusal=sentence(form))
    try:
        adjust(submission=access.submission, by=request.user, **form.cleaned_data)
    except ReviewRefused as refusal:
        return _page(request, access, refusal=str(refusal))
    messages.success(request, "Adjusted. The student reads it with the score, from the release on.")
    return _back(request, pk)


@signed_in
@require_POST
def take_back(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """Withdraw an adjustment."""
    access, found = get_adjustment_for(request.user, pk)
    done = withdraw(adjustment=found, by=request.user)
    messages.success(request, "Withdrawn; it counts no more." if done else "It was withdrawn already.")
    return _back(request, access.submission.pk)


@signed_in
@require_POST
def restore(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """Put a withdrawn adjustment back."""
    access, found = get_adjustment_for(request.user, pk)
    done = put_back(adjustment=found, by=request.user)
    messages.success(request, "It counts again." if done else "It counts already.")
    return _back(request, access.submission.pk)


def _page(request: AuthenticatedHttpRequest, access: SubmissionAccess, *, refusal: str = "") -> HttpResponse:
    points, reason = (typed_text(request.POST, name) for name in ("points", "reason"))
    page = adjustments_of(access.submission, points=points, reason=reason, refusal=refusal)
    status = 422 if refusal else 200
    return render_page(request, "rubrics/adjustments.html", page, enrollment=access.viewer, status=status)


def _back(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """To the page that the form stood on, if it is one of this site."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(target)
    return redirect("submission-adjustments", pk)
