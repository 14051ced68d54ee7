"""The course's platform, for instructors: its link, names and roles, and scores."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.spreadsheets import csv_response
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from lti.access import get_offering_context
from lti.launches import linking
from lti.members import services as names
from lti.members.selectors import members_page, roster_rows
from lti.models import Context, Platform
from lti.passback import services as scores
from lti.passback.selectors import passback_page


@signed_in
@require_safe
def platform(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The courses that are linked, and how to link one."""
    viewer = get_instructor_enrollment(request.user, offering)
    linked = Context.objects.filter(offering=viewer.offering).select_related("deployment__platform", "linked_by")
    page = {"contexts": list(linked), "platforms": list(Platform.objects.filter(active=True))}
    return render_page(request, "lti/platform.html", page, enrollment=viewer)


@signed_in
@require_POST
def admits(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Field `admits`: newcomers of the course are added."""
    _, context = get_offering_context(request.user, offering, pk)
    linking.set_admits(context=context, admits=request.POST.get("admits") == "on", by=request.user)
    messages.success(request, "Saved.")
    return redirect("lti", offering)


@signed_in
@require_POST
def unlink(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Take the link off."""
    _, context = get_offering_context(request.user, offering, pk)
    linking.unlink_context(context=context, by=request.user)
    messages.success(
        request, f"{context} is not linked any more. What it was sent stays there, and nobody left the class."
    )
    return redirect("lti", offering)


@signed_in
@require_safe
def members(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """What was read last, beside the class."""
    viewer, context = get_offering_context(request.user, offering, pk)
    return _members(request, viewer, context)


@signed_in
@require_POST
def read_members(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Ask the platform."""
    viewer, context = get_offering_context(request.user, offering, pk)
    try:
        read = names.read_members(context=context, by=request.user)
    except names.MembersRefused as refusal:
        return _members(request, viewer, context, refusal=str(refusal))
    messages.success(request, f"{context.deployment.platform} named {read} people.")
    return redirect("lti-members", offering, pk)


@signed_in
@require_POST
def keep_ids(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Store SIS user IDs of those who have none."""
    _, context = get_offering_context(request.user, offering, pk)
    kept = names.keep_ids(context=context, by=request.user)
    messages.success(request, f"Kept SIS user IDs of {kept} people.")
    return redirect("lti-members", offering, pk)


@signed_in
@require_safe
def members_file(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The people as a roster, for the page that applies rosters."""
    viewer, context = get_offering_context(request.user, offering, pk)
    return csv_response(f"{viewer.offering.slug}-names-and-roles.csv", roster_rows(context))


@signed_in
@require_safe
def passback(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Columns to choose from; with `?column=`, what sending them would change."""
    viewer, context = get_offering_context(request.user, offering, pk)
    page = passback_page(context, request.GET.getlist("column"))
    return render_page(request, "lti/passback.html", page, enrollment=viewer)


@signed_in
@require_POST
def send(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Fields `column`, and `seen`, the fingerprint of what the preview showed."""
    viewer, context = get_offering_context(request.user, offering, pk)
    keys, seen = request.POST.getlist("column"), request.POST.get("seen", "")
    try:
        asked = scores.ask_to_send(context=context, keys=keys, seen=seen, by=request.user)
    except scores.PassbackRefused as refusal:
        page = passback_page(context, keys, refusal=str(refusal))
        return render_page(request, "lti/passback.html", page, enrollment=viewer, status=422)
    messages.success(request, f"{asked} scores are on their way. This page says how they fare.")
    return redirect("lti-scores", offering, pk)


def _members(
    request: AuthenticatedHttpRequest, viewer: Enrollment, context: Context, *, refusal: str = ""
) -> HttpResponse:
    page = members_page(context, refusal=refusal)
    return render_page(request, "lti/members.html", page, enrollment=viewer, status=422 if refusal else 200)
