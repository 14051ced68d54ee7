"""Points from nbgrader, for instructors: the form, the preview, the act, and taking it back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from exchange.nbgrader import services
from exchange.nbgrader.access import get_import_for
from exchange.nbgrader.database import MAGIC, MAX_BYTES, read_database
from exchange.nbgrader.export import read_export
from exchange.nbgrader.found import ImportRefused
from exchange.nbgrader.plan import guessed
from exchange.nbgrader.selectors import imports_page, preview_page
from exchange.nbgrader.services import Upload, signed_upload

LONGEST_REASON = 2000


@signed_in
@require_safe
def imports(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The form, and what was imported."""
    return _form(request, get_instructor_enrollment(request.user, offering))


@signed_in
@require_POST
def preview(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """What the file `points` would give whom, or the one of `signed` with other assignments. Nothing is stored."""
    enrollment = get_instructor_enrollment(request.user, offering)
    try:
        upload = _again(request, enrollment) if "signed" in request.POST else _uploaded(request, enrollment)
    except ImportRefused as refusal:
        return _form(request, enrollment, refusal=str(refusal))
    page = preview_page(enrollment, upload, by=request.user)
    return render_page(request, "exchange/points_preview.html", page, enrollment=enrollment)


@signed_in
@require_POST
def take_over(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse | HttpResponseRedirect:
    """Store what was previewed. Fields: `signed`, `reason`."""
    enrollment = get_instructor_enrollment(request.user, offering)
    signed, reason = request.POST.get("signed", ""), request.POST.get("reason", "").replace("\0", "").strip()
    try:
        made = services.take_over(
            offering=enrollment.offering, signed=signed, reason=reason[:LONGEST_REASON], by=request.user
        )
    except ImportRefused as refusal:
        return _refused(request, enrollment, signed, str(refusal))
    messages.success(request, f"{made.items.count()} scores are taken over from {made.source}.")
    return redirect("points-imports", offering)


@signed_in
@require_POST
def withdraw(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take an import back."""
    _, found = get_import_for(request.user, offering, pk)
    if count := services.withdraw(points_import=found, by=request.user):
        messages.success(
            request, f"Withdrawn: {count} scores are again what they were before, or what their source says."
        )
    else:
        messages.info(request, "None of it stood any more, so no score changed.")
    return redirect("points-imports", offering)


def _uploaded(request: AuthenticatedHttpRequest, enrollment: Enrollment) -> Upload:
    file = request.FILES.get("points")
    data = file.read(MAX_BYTES + 1) if file else b""
    points = read_database(data) if data.startswith(MAGIC) else read_export(data)
    if not points.found:
        why = (points.wrong or points.skipped or ("It has no lines.",))[0]
        raise ImportRefused(f"The file gives nobody points. {why}")
    name = ((file and file.name) or "")[:200]
    return Upload(points, guessed(enrollment.offering, points.assignments), name)


def _again(request: AuthenticatedHttpRequest, enrollment: Enrollment) -> Upload:
    """The same file with the assignments that the page now says."""
    upload, _ = signed_upload(enrollment.offering, request.POST["signed"], by=request.user)
    mapping = {}
    for place, name in enumerate(upload.points.assignments):
        chosen = request.POST.get(f"assignment-{place}", "")
        if chosen.isascii() and chosen.isdecimal() and len(chosen) < 18:
            mapping[name] = int(chosen)
    return Upload(upload.points, mapping, upload.file)


def _form(request: AuthenticatedHttpRequest, enrollment: Enrollment, *, refusal: str = "") -> HttpResponse:
    page = imports_page(enrollment, refusal=refusal)
    status = 422 if refusal else 200
    return render_page(request, "exchange/points.html", page, enrollment=enrollment, status=status)


def _refused(request: AuthenticatedHttpRequest, enrollment: Enrollment, signed: str, why: str) -> HttpResponse:
    """The preview anew, where there is a file to look at; the form otherwise."""
    try:
        upload, _ = signed_upload(enrollment.offering, signed, by=request.user)
    except ImportRefused as refusal:
        return _form(request, enrollment, refusal=str(refusal))
    page = preview_page(enrollment, upload, by=request.user, trouble=why)
    return render_page(request, "exchange/points_preview.html", page, enrollment=enrollment, status=422)
