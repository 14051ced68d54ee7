"""Extensions and accommodations, for staff."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from assignments.due import services
from assignments.due.access import get_accommodation_to_revoke, get_extender, get_extension_to_revoke
from assignments.due.forms import RevokeForm
from assignments.due.models import Accommodation, Extension
from assignments.due.pages import extensions_page, new_accommodation_form, new_extension_form
from assignments.due.services import GrantRefused
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.pages import render_page

TEMPLATE = "assignments/extensions.html"


@signed_in
@require_safe
def extensions(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All that was granted; `?q=` searches by student or assignment."""
    viewer = get_staff_enrollment(request.user, offering)
    page = extensions_page(viewer, query=request.GET.get("q", "")[:200])
    return render_page(request, TEMPLATE, page, enrollment=viewer)


@signed_in
@require_POST
def grant_extensions(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Move a due date for some students. A refusal comes back with everything that was typed."""
    viewer = get_extender(request.user, offering)
    form = new_extension_form(viewer, request.POST)
    if form.is_valid():
        names = ("assignment", "enrollments", "due_at", "reason")
        try:
            made = services.grant_extensions(**{name: form.cleaned_data[name] for name in names}, by=request.user)
            return _granted(request, offering, "extension", len(made))
        except GrantRefused as refusal:
            form.add_error(None, str(refusal))
    page = extensions_page(viewer, extension_form=form)
    return render_page(request, TEMPLATE, page, enrollment=viewer, status=422)


@signed_in
@require_POST
def grant_accommodations(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Give some students standing extra time."""
    viewer = get_instructor_enrollment(request.user, offering)
    form = new_accommodation_form(viewer, request.POST)
    if form.is_valid():
        names = ("enrollments", "time", "reason")
        try:
            made = services.grant_accommodations(**{name: form.cleaned_data[name] for name in names}, by=request.user)
            return _granted(request, offering, "accommodation", len(made))
        except GrantRefused as refusal:
            form.add_error(None, str(refusal))
    page = extensions_page(viewer, accommodation_form=form)
    return render_page(request, TEMPLATE, page, enrollment=viewer, status=422)


@signed_in
@require_POST
def revoke_extension(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take an extension back. Field: `reason`."""
    _, extension = get_extension_to_revoke(request.user, offering, pk)
    return _revoke(request, offering, extension)


@signed_in
@require_POST
def revoke_accommodation(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take an accommodation back. Field: `reason`."""
    _, accommodation = get_accommodation_to_revoke(request.user, offering, pk)
    return _revoke(request, offering, accommodation)


@signed_in
@require_POST
def extension_rights(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """Say whether TAs grant extensions. Field: `tas_extend`, ticked or not there."""
    viewer = get_instructor_enrollment(request.user, offering)
    allowed = request.POST.get("tas_extend") == "on"
    services.let_tas_extend(offering=viewer.offering, allowed=allowed, by=request.user)
    who = "Instructors and TAs" if allowed else "Instructors alone"
    messages.success(request, f"{who} grant and revoke extensions now.")
    return redirect("extensions", offering)


def _granted(request: AuthenticatedHttpRequest, offering: str, what: str, count: int) -> HttpResponseRedirect:
    messages.success(
        request, f"{count} {what}{'s' if count > 1 else ''} granted. Each student sees it on their dates at once."
    )
    return redirect("extensions", offering)


def _revoke(request: AuthenticatedHttpRequest, offering: str, grant: Extension | Accommodation) -> HttpResponseRedirect:
    form = RevokeForm(request.POST)
    try:
        if not form.is_valid():
            messages.error(request, str(form.errors["reason"][0]))
        elif services.revoke(grant=grant, reason=form.cleaned_data["reason"], by=request.user):
            messages.success(request, f"Revoked. {grant.enrollment.user.name} reads your reason; work handed in stays.")
        else:
            messages.info(request, "That was revoked already; nothing changed now.")
    except GrantRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("extensions", offering)
