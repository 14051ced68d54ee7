"""Rosters, for instructors: the form, the preview, and the act."""

from __future__ import annotations

import re

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from exchange.rosters import services
from exchange.rosters.columns import Field, guessed
from exchange.rosters.selectors import roster_page, usual_domain
from exchange.rosters.services import Choices, RosterRefused, Upload, signed_upload
from exchange.tables import MAX_BYTES, TableRefused, read_grid

DOMAIN = re.compile(r"[a-z0-9.-]{1,200}")


@signed_in
@require_safe
def roster(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The form."""
    return _form(request, get_instructor_enrollment(request.user, offering))


@signed_in
@require_POST
def preview(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """What the file `roster` would change, or the one of `signed` with other columns. Nothing is stored."""
    enrollment = get_instructor_enrollment(request.user, offering)
    try:
        upload = _again(request, enrollment) if "signed" in request.POST else _uploaded(request)
    except (TableRefused, RosterRefused) as refusal:
        return _form(request, enrollment, refusal=str(refusal))
    page = roster_page(enrollment, upload, by=request.user)
    return render_page(request, "exchange/roster_preview.html", page, enrollment=enrollment)


@signed_in
@require_POST
def apply(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse | HttpResponseRedirect:
    """Do what was previewed. Fields: `signed`; `drop`, `rename`, `mail`, ticked or not there."""
    enrollment = get_instructor_enrollment(request.user, offering)
    signed = request.POST.get("signed", "")
    choices = Choices(**{name: request.POST.get(name) == "on" for name in ("drop", "rename", "mail")})
    try:
        done = services.apply(offering=enrollment.offering, signed=signed, choices=choices, by=request.user)
    except RosterRefused as refusal:
        return _refused(request, enrollment, signed, str(refusal))
    mailed = f" Mailed a link to set a password: {done.mailed}." if done.mailed else ""
    text = f"The roster is applied: {done.added} added, {done.changed} changed, {done.dropped} dropped.{mailed}"
    messages.success(request, text)
    return redirect("people", offering)


def _uploaded(request: AuthenticatedHttpRequest) -> Upload:
    file = request.FILES.get("roster")
    grid = read_grid(file.read(MAX_BYTES + 1) if file else b"")
    return Upload(grid, guessed(grid), _domain(request), ((file and file.name) or "")[:200])


def _again(request: AuthenticatedHttpRequest, enrollment: Enrollment) -> Upload:
    """The same file, read as the page now says."""
    upload, _ = signed_upload(enrollment.offering, request.POST["signed"], by=request.user)
    columns: dict[Field, int] = {}
    for place in range(len(upload.grid.columns)):
        chosen = request.POST.get(f"column-{place}", "")
        if chosen in set(Field):
            columns.setdefault(Field(chosen), place)
    return Upload(upload.grid, columns, _domain(request), upload.file)


def _domain(request: AuthenticatedHttpRequest) -> str:
    domain = request.POST.get("domain", "").strip().lower().removeprefix("@")
    return domain if DOMAIN.fullmatch(domain) else ""


def _form(request: AuthenticatedHttpRequest, enrollment: Enrollment, *, refusal: str = "") -> HttpResponse:
    page = {"refusal": refusal, "domain": usual_domain(enrollment)}
    status = 422 if refusal else 200
    return render_page(request, "exchange/roster.html", page, enrollment=enrollment, status=status)


def _refused(request: AuthenticatedHttpRequest, enrollment: Enrollment, signed: str, why: str) -> HttpResponse:
    """The preview anew, where there is a file to look at; the form otherwise."""
    try:
        upload, _ = signed_upload(enrollment.offering, signed, by=request.user)
    except RosterRefused as refusal:
        return _form(request, enrollment, refusal=str(refusal))
    page = roster_page(enrollment, upload, by=request.user, trouble=why)
    return render_page(request, "exchange/roster_preview.html", page, enrollment=enrollment, status=422)
