"""Regrades of a lab, for staff; and *Got it*, by which a student takes the notice of a changed score off their first page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from assignments.access import get_assignment_for, get_staff_assignment_for
from config.sentences import sentence
from courses.pages import render_page
from reviews.regrades import services
from reviews.regrades.access import get_regrade_for, get_regrade_to_decide
from reviews.regrades.export import regrade_csv
from reviews.regrades.forms import ReasonForm, StartForm
from reviews.regrades.models import Scope
from reviews.regrades.rules import RegradeRefused
from reviews.regrades.selectors import regrade_page, regrades_page
from reviews.regrades.table import regrade_rows


@signed_in
@require_safe
def regrades(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """All regrades of a lab, and the form that starts one."""
    enrollment, assignment = get_staff_assignment_for(request.user, offering, lab)
    return render_page(request, "regrades/regrades.html", regrades_page(assignment), enrollment=enrollment)


@signed_in
@require_POST
def start(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponseRedirect:
    """Start a dry run. Field: `scope`."""
    _, assignment = get_staff_assignment_for(request.user, offering, lab)
    form = StartForm(request.POST)
    if not form.is_valid():
        messages.error(request, sentence(form))
        return redirect("lab-regrades", offering, lab)
    try:
        regrade = services.start(assignment=assignment, scope=Scope(form.cleaned_data["scope"]), by=request.user)
    except RegradeRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("lab-regrades", offering, lab)
    return redirect("lab-regrade", offering, lab, regrade.number)


@signed_in
@require_safe
def regrade(request: AuthenticatedHttpRequest, offering: str, lab: str, number: int) -> HttpResponse:
    """How far the runs are; then who changes, and by how much."""
    enrollment, found = get_regrade_for(request.user, offering, lab, number)
    return render_page(request, "regrades/regrade.html", regrade_page(enrollment, found), enrollment=enrollment)


@signed_in
@require_safe
def regrade_scores(request: AuthenticatedHttpRequest, offering: str, lab: str, number: int) -> HttpResponse:
    """The table as CSV."""
    _, found = get_regrade_for(request.user, offering, lab, number)
    response = HttpResponse(regrade_csv(regrade_rows(found)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{lab}-regrade-{number}.csv"'
    return response


@signed_in
@require_POST
def discard(request: AuthenticatedHttpRequest, offering: str, lab: str, number: int) -> HttpResponseRedirect:
    """Throw a dry run away."""
    _, found = get_regrade_for(request.user, offering, lab, number)
    try:
        services.discard(regrade=found, by=request.user)
        messages.success(request, "The dry run is discarded. Nobody's score has changed.")
    except RegradeRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("lab-regrades", offering, lab)


@signed_in
@require_POST
def apply(request: AuthenticatedHttpRequest, offering: str, lab: str, number: int) -> HttpResponseRedirect:
    """Let the new scores count. Field: `reason`."""
    return _decide(request, services.apply, offering, lab, number)


@signed_in
@require_POST
def revert(request: AuthenticatedHttpRequest, offering: str, lab: str, number: int) -> HttpResponseRedirect:
    """Bring the old scores back. Field: `reason`."""
    return _decide(request, services.revert, offering, lab, number)


@signed_in
@require_POST
def score_change_seen(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponseRedirect:
    """The student has read it."""
    enrollment, assignment = get_assignment_for(request.user, offering, lab)
    services.mark_seen(enrollment=enrollment, assignment=assignment)
    return redirect("dashboard", offering)


def _decide(
    request: AuthenticatedHttpRequest, act: services.Decision, offering: str, lab: str, number: int
) -> HttpResponseRedirect:
    found = get_regrade_to_decide(request.user, offering, lab, number)
    form, site = ReasonForm(request.POST), request.build_absolute_uri("/")
    try:
        if not form.is_valid():
            messages.error(request, sentence(form))
        elif act(regrade=found, reason=form.cleaned_data["reason"], by=request.user, site=site):
            messages.success(request, "Done. Students whose score changed are told.")
        else:
            messages.info(request, "That was done already; nothing changed now.")
    except RegradeRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("lab-regrade", offering, lab, number)
