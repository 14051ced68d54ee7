"""Students at risk: staff read and download, instructors set the rules."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.spreadsheets import csv_response
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.lists import sought
from courses.pages import render_page
from gradebook.at_risk.forms import RulesForm
from gradebook.at_risk.selectors import at_risk_page, at_risk_table, rules_of
from gradebook.at_risk.services import set_rules

TEMPLATE = "gradebook/at_risk.html"


@signed_in
@require_safe
def at_risk(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Everyone whom a rule names, the most urgent first; `?q=` finds students, `?page=` goes on."""
    viewer = get_staff_enrollment(request.user, offering)
    q, number = sought(request)
    return render_page(request, TEMPLATE, at_risk_page(viewer, q=q, number=number), enrollment=viewer)


@signed_in
@require_safe
def file(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The same as CSV, everybody."""
    viewer = get_staff_enrollment(request.user, offering)
    return csv_response(f"at-risk-{offering}.csv", at_risk_table(viewer.offering), bom=True)


@signed_in
@require_POST
def rules(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Set the rules. Fields: those of the form; empty ones turn their rule off."""
    viewer = get_instructor_enrollment(request.user, offering)
    form = RulesForm(request.POST, stored=rules_of(viewer.offering))
    if not form.is_valid():
        return render_page(request, TEMPLATE, at_risk_page(viewer, form=form), enrollment=viewer, status=422)
    if set_rules(offering=viewer.offering, by=request.user, **form.cleaned_data):
        messages.success(request, "Saved. The list goes by the new rules.")
    else:
        messages.info(request, "These rules stood already; nothing changed.")
    return redirect("at-risk", offering)
