"""Grades as CSV: for Canvas, by instructors; the plain table, for all staff."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.spreadsheets import csv_response
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from exchange.canvas import services
from exchange.canvas.columns import columns_of
from exchange.canvas.reading import read_canvas
from exchange.canvas.selectors import canvas_page, canvas_table
from exchange.canvas.services import MappingRefused
from exchange.canvas.table import plain_sheet
from exchange.numbers import numbers_of
from exchange.tables import MAX_BYTES, TableRefused, read_grid


@signed_in
@require_safe
def canvas(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """What can be sent, and what Canvas has."""
    return _page(request, get_instructor_enrollment(request.user, offering))


@signed_in
@require_safe
def canvas_file(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The table for Canvas, with the columns of `?column=`."""
    enrollment = get_instructor_enrollment(request.user, offering)
    keys = request.GET.getlist("column")
    if not keys:
        return _page(request, enrollment, refusal="Choose at least one column to send.")
    return csv_response(f"{offering}-canvas.csv", canvas_table(enrollment.offering, keys).rows)


@signed_in
@require_safe
def grades_file(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The plain table; with `?bom=1` as Excel likes it."""
    enrollment = get_staff_enrollment(request.user, offering)
    rows = plain_sheet(numbers_of(enrollment.offering))
    return csv_response(f"{offering}-grades.csv", rows, bom="bom" in request.GET)


@signed_in
@require_POST
def read_columns(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Remember the columns of Canvas's own export, the file `export`."""
    enrollment = get_instructor_enrollment(request.user, offering)
    file = request.FILES.get("export")
    try:
        grid = read_grid(file.read(MAX_BYTES + 1) if file else b"")
        export = read_canvas(grid, enrollment.offering.enrollments.students())
    except TableRefused as refusal:
        return _page(request, enrollment, refusal=str(refusal))
    columns = columns_of(numbers_of(enrollment.offering))
    new = services.remember(offering=enrollment.offering, export=export, columns=columns, by=request.user)
    count = len(export.columns)
    messages.success(
        request,
        f"{count} columns of Canvas are read, {new} of them new; {export.known} of its people are in this class.",
    )
    return redirect("canvas", offering)


@signed_in
@require_POST
def assign_columns(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse | HttpResponseRedirect:
    """Say which number belongs into which column. Fields: `key-<id>`."""
    enrollment = get_instructor_enrollment(request.user, offering)
    ours = {column.key for column in columns_of(numbers_of(enrollment.offering))} | {""}
    fields = {row.pk: request.POST.get(f"key-{row.pk}") for row in enrollment.offering.canvas_columns.all()}
    keys = {pk: key for pk, key in fields.items() if key is not None and key in ours}
    try:
        services.assign(offering=enrollment.offering, keys=keys, by=request.user)
    except MappingRefused as refusal:
        return _page(request, enrollment, refusal=str(refusal))
    messages.success(request, "Saved. These columns of Canvas are filled by the next file.")
    return redirect("canvas", offering)


def _page(request: AuthenticatedHttpRequest, enrollment: Enrollment, *, refusal: str = "") -> HttpResponse:
    page = canvas_page(enrollment.offering, refusal=refusal)
    return render_page(request, "exchange/canvas.html", page, enrollment=enrollment, status=422 if refusal else 200)
