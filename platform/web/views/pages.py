"""Home, the first page of an offering, its schedule, guides, the pattern page and the health probe."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import first_enrollment, get_enrollment
from courses.pages import render_page
from web.access import require_patterns_access
from web.guides import get_guide
from web.patterns import patterns_page
from web.selectors.dashboard import dashboard_page, staff_dashboard_page
from web.selectors.schedule import schedule_page


@signed_in
@require_safe
def home(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Lead to the person's offering; explain to someone who is enrolled nowhere."""
    enrollment = first_enrollment(request.user)
    if enrollment is None:
        return render(request, "web/home.html")
    return redirect("dashboard", enrollment.offering.slug)


@signed_in
@require_safe
def dashboard(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """What is due next for a student; how the labs stand for staff."""
    enrollment = get_enrollment(request.user, offering)
    if enrollment.is_staff:
        return render_page(request, "web/dashboard_staff.html", staff_dashboard_page(enrollment), enrollment=enrollment)
    return render_page(request, "web/dashboard.html", dashboard_page(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def schedule(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The term, week by week."""
    enrollment = get_enrollment(request.user, offering)
    return render_page(request, "web/schedule.html", schedule_page(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def guide(request: AuthenticatedHttpRequest, name: str) -> HttpResponse:
    """A guide from docs/."""
    return render(request, "web/guide.html", {"page": get_guide(name)})


@signed_in
@require_safe
def patterns(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Every component in every state, for those who build pages."""
    require_patterns_access(request.user)
    return render(request, "web/patterns.html", {"page": patterns_page()})


@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """For probes: 200 while the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("database away", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")
