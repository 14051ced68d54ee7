"""Agreement of readers, both readings of a submission, and calibration: for staff alone."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.pages import render_page
from reviews.agreement import services
from reviews.agreement.access import (
    get_calibration_for,
    get_calibration_to_remove,
    get_double_reading_for,
    get_double_reading_to_settle,
)
from reviews.agreement.calibrating import calibrate_form, calibration_page, calibration_text_page
from reviews.agreement.forms import ChooseForm
from reviews.agreement.models import Outcome
from reviews.agreement.selectors import agreement_page, double_page, settle_form
from reviews.marking.services import ReviewConflict, ReviewRefused


@signed_in
@require_safe
def agreement(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """How far readers agree, and who is lenient. `?work=` is an assignment's slug."""
    enrollment = get_staff_enrollment(request.user, offering)
    page = agreement_page(enrollment, request.GET.get("work", ""))
    return render_page(request, "agreement/agreement.html", page, enrollment=enrollment)


@signed_in
@require_safe
def double_reading(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Both readings of a submission side by side."""
    enrollment, reading = get_double_reading_for(request.user, offering, pk)
    return render_page(request, "agreement/double.html", double_page(enrollment, reading), enrollment=enrollment)


@signed_in
@require_POST
def settle(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Decide between two readings. Fields: `outcome`, `reason`, `revision`, and `item-…` for other marks."""
    enrollment, reading = get_double_reading_to_settle(request.user, offering, pk)
    form = settle_form(reading, request.POST)
    try:
        if form.is_valid():
            data = form.cleaned_data
            decided = {"outcome": Outcome(data["outcome"]), "reason": data["reason"], "marks": form.marks()}
            services.settle(reading=reading, revision=data["revision"] or 0, by=request.user, **decided)
            messages.success(request, "Settled. The reason is in the audit log.")
            return redirect("double-reading", offering, pk)
        messages.error(request, form.sentence())
    except (ReviewRefused, ReviewConflict) as refusal:
        messages.error(request, str(refusal))
    page = double_page(enrollment, reading, form)
    return render_page(request, "agreement/double.html", page, enrollment=enrollment, status=422)


@signed_in
@require_safe
def calibration(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The texts that all graders read first."""
    enrollment = get_staff_enrollment(request.user, offering)
    return render_page(request, "agreement/calibration.html", calibration_page(enrollment), enrollment=enrollment)


@signed_in
@require_POST
def calibration_choose(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Add a text to the set. Field: `number`, of its receipt."""
    enrollment = get_instructor_enrollment(request.user, offering)
    form = ChooseForm(request.POST)
    try:
        if form.is_valid():
            number = form.cleaned_data["number"]
            text = services.choose_calibration(offering=enrollment.offering, number=number, by=request.user)
            messages.success(request, "Chosen. Give your marks now: graders are compared with them.")
            return redirect("calibration-text", offering, text.pk)
        messages.error(request, str(form.errors["number"].as_data()[0].messages[0]))
    except ReviewRefused as refusal:
        messages.error(request, str(refusal))
    page = calibration_page(enrollment, request.POST.get("number", ""))
    return render_page(request, "agreement/calibration.html", page, enrollment=enrollment, status=422)


@signed_in
@require_POST
def calibration_remove(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take a text out of the set."""
    services.remove_calibration(text=get_calibration_to_remove(request.user, offering, pk), by=request.user)
    messages.success(request, "Taken out of the calibration set. What was read of it is kept.")
    return redirect("calibration", offering)


@signed_in
@require_safe
def calibration_text(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One text, and the form or the comparison."""
    enrollment, text = get_calibration_for(request.user, offering, pk)
    page = calibration_text_page(enrollment, text)
    return render_page(request, "agreement/calibration_text.html", page, enrollment=enrollment)


@signed_in
@require_POST
def calibration_mark(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Keep the reader's marks. Fields: `item-…`, `comment`, `revision`."""
    enrollment, text = get_calibration_for(request.user, offering, pk)
    form = calibrate_form(text, data=request.POST)
    try:
        if form.is_valid():
            data = form.cleaned_data
            kept = {"marks": form.marks(), "comment": data["comment"], "revision": data["revision"] or 0}
            services.read_calibration(text=text, by=request.user, **kept)
            messages.success(request, "Kept. These marks count for nobody's score.")
            return redirect("calibration-text", offering, pk)
        messages.error(request, form.sentence())
    except (ReviewRefused, ReviewConflict) as refusal:
        messages.error(request, str(refusal))
    page = calibration_text_page(enrollment, text, form)
    return render_page(request, "agreement/calibration_text.html", page, enrollment=enrollment, status=422)
