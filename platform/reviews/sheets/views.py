"""Scores as CSV: down for staff; up for instructors, with a preview in between."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.spreadsheets import csv_response
from courses.access import get_staff_enrollment
from courses.pages import render_page
from reviews.releases.access import get_assignment_to_decide, get_graded_assignment_for
from reviews.sheets import services
from reviews.sheets.diff import diff_of
from reviews.sheets.export import assignment_table, offering_table
from reviews.sheets.parse import MAX_BYTES, SheetRefused, read_table
from reviews.sheets.rows import sheet_of
from reviews.sheets.selectors import PreviewPage, sheet_page

LONGEST_REASON = 2000


@signed_in
@require_safe
def sheet(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponse:
    """The downloads and the form."""
    enrollment, found = get_graded_assignment_for(request.user, offering, assignment)
    return render_page(request, "sheets/sheet.html", sheet_page(enrollment, found), enrollment=enrollment)


@signed_in
@require_safe
def sheet_file(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponse:
    """The scores of one assignment; with `?bom=1` as Excel likes it."""
    _, found = get_graded_assignment_for(request.user, offering, assignment)
    return csv_response(f"{offering}-{assignment}-scores.csv", assignment_table(found), bom="bom" in request.GET)


@signed_in
@require_safe
def offering_file(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The scores of the whole offering."""
    enrollment = get_staff_enrollment(request.user, offering)
    return csv_response(f"{offering}-scores.csv", offering_table(enrollment.offering), bom="bom" in request.GET)


@signed_in
@require_POST
def preview(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponse:
    """What the file `sheet` would change. Nothing is stored."""
    enrollment, found = get_assignment_to_decide(request.user, offering, assignment)
    file = request.FILES.get("sheet")
    try:
        diff = diff_of(sheet_of(found), read_table(file.read(MAX_BYTES + 1) if file else b""))
    except SheetRefused as refusal:
        page = sheet_page(enrollment, found, refusal=str(refusal))
        return render_page(request, "sheets/sheet.html", page, enrollment=enrollment, status=422)
    signed = services.sign(found, diff, by=request.user) if diff.can_apply else ""
    shown = PreviewPage(found, diff, signed, (file and file.name) or "")
    return render_page(request, "sheets/preview.html", shown, enrollment=enrollment)


@signed_in
@require_POST
def apply(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponseRedirect:
    """Store what was previewed. Fields: `signed`, `reason`."""
    _, found = get_assignment_to_decide(request.user, offering, assignment)
    signed, reason = request.POST.get("signed", ""), request.POST.get("reason", "")[:LONGEST_REASON]
    try:
        count = services.apply(assignment=found, signed=signed, reason=reason.replace("\0", ""), by=request.user)
        messages.success(
            request, f"The scores of {count} student{'' if count == 1 else 's'} are changed, as previewed."
        )
    except SheetRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("score-sheet", offering, assignment)
