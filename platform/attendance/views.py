"""Checking in, the screen that shows the code, and the pages that show who was there."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from attendance import scan, selectors, windows
from attendance.access import get_session_for, get_student
from attendance.check_in import check_in as enter
from attendance.finding import CheckInRefused
from attendance.forms import CheckInForm, MinutesForm, read
from attendance.here import here_page
from attendance.screen import screen_page
from attendance.windows import WindowRefused
from courses.access import get_enrollment, get_staff_enrollment
from courses.lists import sought
from courses.models import Enrollment, Session
from courses.pages import render_page

TURNED_AWAY = 422


@require_safe
def here(request: HttpRequest, offering: str) -> HttpResponseBase:
    """The page on a phone. `?code=` is what it scanned, which survives the sign-in; looking checks nobody in."""
    scanned = request.GET.get("code", "")
    if not request.user.is_authenticated:
        response = redirect_to_login(request.get_full_path())
        scan.remember(response, offering, scanned)
        return response
    known = cast("AuthenticatedHttpRequest", request)
    student = get_student(known.user, offering)
    return render_page(known, "attendance/here.html", here_page(student, scanned=scanned), enrollment=student)


@signed_in
@require_POST
def check_in(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Check the student in. Field: `code`."""
    student, address = get_student(request.user, offering), request.META.get("REMOTE_ADDR", "")
    try:
        code = read(CheckInForm(request.POST), "code", CheckInRefused)
        made = enter(enrollment=student, code=code, address=address, scanned_at=scan.recall(request, code))
    except CheckInRefused as refusal:
        page = here_page(student, typed=request.POST.get("code", ""), refusal=str(refusal))
        return render_page(request, "attendance/here.html", page, enrollment=student, status=TURNED_AWAY)
    if made.again:
        messages.info(request, "You were checked in already; nothing changed now.")
    response = redirect("here", offering)
    scan.forget(response, offering)
    return response


@signed_in
@require_safe
def attendance(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Staff: students by sessions; `?q=` finds students, `?page=` goes on. Students: their own record."""
    viewer = get_enrollment(request.user, offering)
    if viewer.is_student:
        page = selectors.record_page(viewer)
        return render_page(request, "attendance/record.html", page, enrollment=viewer)
    q, number = sought(request)
    grid = selectors.grid_page(viewer, q=q, number=number)
    return render_page(request, "attendance/grid.html", grid, enrollment=viewer)


@signed_in
@require_safe
def sessions(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Every session of the term and how it stands."""
    viewer = get_staff_enrollment(request.user, offering)
    return render_page(request, "attendance/sessions.html", selectors.sessions_page(viewer), enrollment=viewer)


@signed_in
@require_safe
def session(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One session: its check-in, and who was there; `?q=` finds students, `?page=` goes on."""
    viewer, found = get_session_for(request.user, offering, pk)
    return show_session(request, viewer, found)


@signed_in
@require_POST
def open_check_in(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Open the check-in and go to its screen. Field: `minutes`."""
    viewer, found = get_session_for(request.user, offering, pk)
    try:
        minutes = read(MinutesForm(request.POST), "minutes", WindowRefused)
        windows.open_window(session=found, minutes=minutes, by=request.user)
    except WindowRefused as refusal:
        return show_session(request, viewer, found, refusal=str(refusal), minutes=request.POST.get("minutes", ""))
    return redirect("check-in-screen", offering, pk)


@signed_in
@require_POST
def extend_check_in(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Let the open check-in stand longer. Field: `minutes`."""
    _, found = get_session_for(request.user, offering, pk)
    try:
        minutes = read(MinutesForm(request.POST), "minutes", WindowRefused)
        windows.extend_window(session=found, minutes=minutes, by=request.user)
    except WindowRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("check-in-screen", offering, pk)


@signed_in
@require_POST
def close_check_in(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Close the open check-in now."""
    _, found = get_session_for(request.user, offering, pk)
    if windows.close_window(session=found, by=request.user):
        messages.success(request, "The check-in is closed. Who is not in is absent, unless you record them otherwise.")
    else:
        messages.info(request, "No check-in is open: nobody had checked in, or it was closed before.")
    return redirect("attendance-session", offering, pk)


@signed_in
@require_safe
def screen(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The page for the projector."""
    viewer, found = get_session_for(request.user, offering, pk)
    return render_page(request, "attendance/screen.html", screen_page(request, found), enrollment=viewer)


@signed_in
@require_safe
def screen_now(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The part of it that changes, for htmx."""
    viewer, found = get_session_for(request.user, offering, pk)
    return render_page(request, "attendance/screen_now.html", screen_page(request, found), enrollment=viewer)


def show_session(
    request: AuthenticatedHttpRequest, viewer: Enrollment, found: Session, *, refusal: str = "", minutes: str = "10"
) -> HttpResponse:
    """The page of a session; with a refusal, what was typed stands there again."""
    q, number = sought(request)
    page = selectors.session_page(viewer, found, q=q, number=number, refusal=refusal, minutes=minutes)
    status = TURNED_AWAY if refusal else 200
    return render_page(request, "attendance/session.html", page, enrollment=viewer, status=status)
