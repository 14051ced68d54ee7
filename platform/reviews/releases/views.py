"""Releasing the scores of an assignment: a preview for staff, and the acts of instructors."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.lists import sought
from courses.pages import render_page
from reviews.regrades.forms import ReasonForm
from reviews.releases import services
from reviews.releases.access import get_assignment_to_decide, get_graded_assignment_for, get_release_to_decide
from reviews.releases.forms import ReleaseForm
from reviews.releases.selectors import release_page


@signed_in
@require_safe
def preview(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponse:
    """What students would see, and what was released."""
    enrollment, found = get_graded_assignment_for(request.user, offering, assignment)
    q, number = sought(request)
    page = release_page(enrollment, found, q=q, number=number, undo_s=settings.RELEASE_UNDO_S)
    return render_page(request, "releases/release.html", page, enrollment=enrollment)


@signed_in
@require_POST
def release(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponseRedirect:
    """Show the scores. Fields: `partial`, `hold_flagged`."""
    _, found = get_assignment_to_decide(request.user, offering, assignment)
    form = ReleaseForm(request.POST)
    form.is_valid()  # two boxes: nothing can be wrong
    chosen = form.cleaned_data
    try:
        made = services.release(
            assignment=found, by=request.user, partial=chosen["partial"], with_flagged=not chosen["hold_flagged"]
        )
        messages.success(request, f"{made.items.count()} scores are released. You can undo it for a while.")
    except services.ReleaseRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("release", offering, assignment)


@signed_in
@require_POST
def undo(request: AuthenticatedHttpRequest, offering: str, assignment: str, pk: int) -> HttpResponseRedirect:
    """Take a release back before anybody is told."""
    found = get_release_to_decide(request.user, offering, assignment, pk)
    try:
        services.undo(release=found, by=request.user)
        messages.success(request, "The release is undone. Students see no score, and nobody is told.")
    except services.ReleaseRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("release", offering, assignment)


@signed_in
@require_POST
def retract(request: AuthenticatedHttpRequest, offering: str, assignment: str, pk: int) -> HttpResponseRedirect:
    """Hide scores that students were told of. Field: `reason`."""
    found = get_release_to_decide(request.user, offering, assignment, pk)
    form = ReasonForm(request.POST)
    try:
        if not form.is_valid():
            messages.error(request, sentence(form))
        elif services.retract(release=found, reason=form.cleaned_data["reason"], by=request.user):
            messages.success(request, "The scores are hidden again. Their students are told, with your reason.")
    except services.ReleaseRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("release", offering, assignment)
