"""How often students may hand in a lab."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, signed_in
from assignments.access import get_instructor_assignment_for
from assignments.forms import LimitsForm
from assignments.models import Assignment
from assignments.services import set_limits
from courses.pages import render_page


@dataclass(frozen=True)
class LimitsPage:
    """A lab and the form of its limits."""

    assignment: Assignment
    form: LimitsForm


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def limits(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """See and set attempts and the minutes between two of them."""
    enrollment, assignment = get_instructor_assignment_for(request.user, offering, lab)
    stored = {"max_attempts": assignment.max_attempts, "cooldown_minutes": assignment.cooldown_minutes}
    form = LimitsForm(request.POST if request.method == "POST" else None, initial=stored)
    if form.is_valid():
        set_limits(assignment=assignment, **form.cleaned_data, by=request.user)
        messages.success(request, "The limits are set. They hold for the next submission; nothing handed in changes.")
        return redirect("lab-limits", offering, lab)
    page = LimitsPage(assignment, form)
    status = 422 if form.is_bound else 200
    return render_page(request, "assignments/limits.html", page, enrollment=enrollment, status=status)
