"""What staff enter: corrections, sessions that are left out, and participation points."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from attendance import records, selectors
from attendance.access import get_point_to_withdraw, get_session_to_leave_out, get_student_for
from attendance.entry_pages import CorrectionPage, correction_form, correction_page, points_page
from attendance.forms import CorrectionForm, PointsForm, ReasonForm, read
from attendance.points import give_points, withdraw_points
from attendance.records import RecordRefused
from attendance.selectors import students_of
from courses.access import get_staff_enrollment
from courses.lists import sought
from courses.models import Enrollment
from courses.pages import render_page

TURNED_AWAY = 422


@signed_in
@require_safe
def student(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One student's record, as they see it, with what staff do about it."""
    viewer, found = get_student_for(request.user, offering, pk)
    page = selectors.record_page(found, for_staff=True)
    return render_page(request, "attendance/record.html", page, enrollment=viewer)


@signed_in
@require_safe
def correct(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The form that records students in sessions; `?session=` or `?student=` chooses one."""
    viewer = get_staff_enrollment(request.user, offering)
    page = correction_page(viewer, request.GET)
    return render_page(request, "attendance/correct.html", page, enrollment=viewer)


@signed_in
@require_POST
def record(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Record students in sessions. A refusal comes back with everything that was typed."""
    viewer = get_staff_enrollment(request.user, offering)
    form, names = correction_form(viewer, request.POST), ("sessions", "enrollments", "presence", "reason")
    if form.is_valid():
        try:
            made = records.record_presence(**{name: form.cleaned_data[name] for name in names}, by=request.user)
            return _recorded(request, offering, form, made)
        except RecordRefused as refusal:
            form.add_error(None, str(refusal))
    page = CorrectionPage(form, back=request.POST.get("back", ""))
    return render_page(request, "attendance/correct.html", page, enrollment=viewer, status=TURNED_AWAY)


def _recorded(
    request: AuthenticatedHttpRequest, offering: str, form: CorrectionForm, made: records.Recorded
) -> HttpResponseRedirect:
    same = f" {made.same} stood like that before." if made.same else ""
    messages.success(request, f"{made.changed} record{'' if made.changed == 1 else 's'} changed.{same}")
    sessions, students = form.cleaned_data["sessions"], form.cleaned_data["enrollments"]
    if len(students) == 1 and request.POST.get("back") == "student":
        return redirect("attendance-student", offering, students[0].pk)
    return (
        redirect("attendance-session", offering, sessions[0].pk)
        if len(sessions) == 1
        else redirect("attendance", offering)
    )


@signed_in
@require_POST
def leave_out(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Let a session count for nobody. Field: `reason`."""
    viewer, session = get_session_to_leave_out(request.user, offering, pk)
    try:
        reason = read(ReasonForm(request.POST), "reason", RecordRefused)
        records.leave_out(session=session, reason=reason, by=request.user)
    except RecordRefused as refusal:
        page = selectors.session_page(viewer, session, refusal=str(refusal), reason=request.POST.get("reason", ""))
        return render_page(request, "attendance/session.html", page, enrollment=viewer, status=TURNED_AWAY)
    messages.success(request, "Left out: this session counts for nobody. What was recorded in it is kept.")
    return redirect("attendance-session", offering, pk)


@signed_in
@require_POST
def put_back(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Let a session that was left out count again."""
    _, session = get_session_to_leave_out(request.user, offering, pk)
    if records.put_back(session=session, by=request.user):
        messages.success(request, "Put back: what was recorded in this session counts again.")
    return redirect("attendance-session", offering, pk)


@signed_in
@require_safe
def points(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Points that were given, and the form for more: `?q=` finds a name; `?points=` and `?reason=` stay from the entry before."""
    viewer = get_staff_enrollment(request.user, offering)
    q, number = sought(request)
    kept = {name: request.GET.get(name, "")[:300] for name in ("points", "reason")}
    page = points_page(viewer, q=q, number=number, kept=kept)
    return render_page(request, "attendance/points.html", page, enrollment=viewer)


@signed_in
@require_POST
def give(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Give one student points. Fields: `student`, `points`, `reason`, and `q` by which the name was found."""
    viewer = get_staff_enrollment(request.user, offering)
    form = PointsForm(request.POST, students=students_of(viewer.offering, ""))
    if form.is_valid():
        try:
            return _gave(request, viewer, form)
        except RecordRefused as refusal:
            form.add_error(None, str(refusal))
    page = points_page(viewer, q=request.POST.get("q", "")[:200], number="", form=form)
    return render_page(request, "attendance/points.html", page, enrollment=viewer, status=TURNED_AWAY)


def _gave(request: AuthenticatedHttpRequest, viewer: Enrollment, form: PointsForm) -> HttpResponseRedirect:
    who, amount, reason = (form.cleaned_data[name] for name in ("student", "points", "reason"))
    give_points(enrollment=who, points=amount, reason=reason, by=request.user)
    messages.success(request, f"{who.user.name} has {amount.normalize():f} more.")
    kept = urlencode({"points": f"{amount.normalize():f}", "reason": reason})
    return redirect(f"{reverse('participation', args=[viewer.offering.slug])}?{kept}")


@signed_in
@require_POST
def withdraw(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take points back. Field: `reason`."""
    _, point = get_point_to_withdraw(request.user, offering, pk)
    try:
        reason = read(ReasonForm(request.POST), "reason", RecordRefused)
        if withdraw_points(point=point, reason=reason, by=request.user):
            messages.success(request, f"Withdrawn. {point.enrollment.user.name} sees that they count no more.")
        else:
            messages.info(request, "They were withdrawn already; nothing changed now.")
    except RecordRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("participation", offering)
