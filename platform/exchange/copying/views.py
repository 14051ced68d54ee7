"""Copying an offering, for its instructors: one page that first asks, then shows all dates, then makes the copy."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from exchange.copying.forms import DatesForm, FrameForm
from exchange.copying.selectors import CopyPage, copy_page
from exchange.copying.services import CopyRefused, copy_offering
from exchange.copying.spec import Source, shift_of, source_of, suggested


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def copy(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Field `step`: `dates` shows the shifted dates, `make` makes the copy. Nothing that was typed is lost in between."""
    viewer = get_instructor_enrollment(request.user, offering)
    source = source_of(viewer.offering)
    with timezone.override(viewer.offering.zone):
        form = FrameForm(request.POST if request.method == "POST" else None, viewer=viewer)
        if not form.is_bound:
            return _page(request, viewer, copy_page(form, source))
        if request.POST.get("step") == "make":
            return _make(request, viewer, form, source)
        return _dates(request, viewer, form, source)


def _dates(request: AuthenticatedHttpRequest, viewer: Enrollment, form: FrameForm, source: Source) -> HttpResponse:
    if not form.is_valid():
        return _page(request, viewer, copy_page(form, source), status=422)
    frame = form.frame()
    dates = DatesForm(source=source, suggested=suggested(source, shift_of(source, frame)))
    return _page(request, viewer, copy_page(form, source, dates, frame))


def _make(request: AuthenticatedHttpRequest, viewer: Enrollment, form: FrameForm, source: Source) -> HttpResponse:
    dates, refusal = DatesForm(request.POST, source=source), ""
    frame = form.frame() if form.is_valid() else None
    if frame and dates.is_valid():
        try:
            made = copy_offering(offering=viewer.offering, frame=frame, dates=dates.dates(), by=request.user)
        except CopyRefused as refused:
            refusal = str(refused)
        else:
            messages.success(
                request, f"This is the copy, {made}. Nobody but staff is in it; send a roster when you have one."
            )
            return redirect("dashboard", made.slug)
    return _page(request, viewer, copy_page(form, source, dates, frame, refusal), status=422)


def _page(request: AuthenticatedHttpRequest, viewer: Enrollment, page: CopyPage, *, status: int = 200) -> HttpResponse:
    return render_page(request, "exchange/copy.html", page, enrollment=viewer, status=status)
