"""All teams, for staff: seen, arranged by hand or by a file, excepted, disbanded; the rules, for instructors."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.spreadsheets import csv_response
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.lists import sought
from courses.models import Enrollment
from courses.pages import render_page
from projects.teams import staffing
from projects.teams.access import get_team_for_staff
from projects.teams.forms import ReasonForm, TeamForm
from projects.teams.planning import Plan, snapshot_of
from projects.teams.posted import posted_moves
from projects.teams.rules import TeamRefused
from projects.teams.sheet import read_teams, team_table
from projects.teams.staff_pages import ImportPage, PlanPage, rules_page, team_page, teams_page
from reviews.sheets.parse import MAX_BYTES, SheetRefused, read_table

PLAN, IMPORT, TEAM = "teams/plan.html", "teams/import.html", "teams/team.html"


@signed_in
@require_safe
def teams(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All teams; `?only=problems` or `?only=without`, `?q=` searches, `?page=` goes on."""
    viewer = get_staff_enrollment(request.user, offering)
    q, number = sought(request)
    page = teams_page(viewer, only=request.GET.get("only", ""), q=q, number=number)
    return render_page(request, "teams/teams.html", page, enrollment=viewer)


@signed_in
@require_POST
def arrange(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Put students where they were dragged or chosen to be, as one act. What needs an exception asks for its reason first."""
    viewer = get_staff_enrollment(request.user, offering)
    why = _words(request, "reason")
    try:
        planned = posted_moves(request.POST)
        plan = staffing.arrange(offering=viewer.offering, planned=planned, by=request.user, reason=why)
    except staffing.TooLarge as asked:
        return _plan(request, viewer, PlanPage(asked.plan, _signed(viewer, asked.plan), why, refusal=str(asked)), 422)
    except TeamRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("teams", offering)
    return _told(request, offering, plan)


@signed_in
@require_POST
def apply(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Store what a preview showed. Fields: `signed`, `reason`, `exception`."""
    viewer = get_staff_enrollment(request.user, offering)
    signed, why, exception = request.POST.get("signed", ""), _words(request, "reason"), _words(request, "exception")
    try:
        planned = staffing.signed_plan(signed, offering=viewer.offering, by=request.user)
        plan = staffing.arrange(
            offering=viewer.offering, planned=planned, by=request.user, reason=why, exception=exception
        )
    except staffing.TooLarge as asked:
        return _plan(request, viewer, PlanPage(asked.plan, signed, why, exception, str(asked)), 422)
    except TeamRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("teams", offering)
    return _told(request, offering, plan)


@signed_in
@require_safe
def file(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """A line a student with their team; with `?bom=1` as Excel likes it."""
    viewer = get_staff_enrollment(request.user, offering)
    return csv_response(f"{offering}-teams.csv", team_table(viewer.offering), bom="bom" in request.GET)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def import_file(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The form for a file `sheet`, and what it would change. Nothing is stored."""
    viewer = get_staff_enrollment(request.user, offering)
    if request.method != "POST":
        return render_page(request, IMPORT, ImportPage(), enrollment=viewer)
    sent = request.FILES.get("sheet")
    try:
        table = read_table(sent.read(MAX_BYTES + 1) if sent else b"")
        sheet = read_teams(snapshot_of(viewer.offering), table)
    except SheetRefused as refusal:
        return render_page(request, IMPORT, ImportPage(str(refusal)), enrollment=viewer, status=422)
    signed = _signed(viewer, sheet.plan) if sheet.can_apply else ""
    return _plan(request, viewer, PlanPage(sheet.plan, signed, sheet=sheet, file=(sent and sent.name) or ""), 200)


@signed_in
@require_safe
def team(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One team: its members, its history, and what staff can do with it."""
    viewer, found = get_team_for_staff(request.user, offering, pk)
    return render_page(request, TEAM, team_page(viewer, found), enrollment=viewer)


@signed_in
@require_POST
def edit(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Change a team's name, kind or topic, also after the lock."""
    viewer, found = get_team_for_staff(request.user, offering, pk)
    form = TeamForm(request.POST)
    if form.is_valid():
        try:
            staffing.edit_team(team=found, details=form.details, by=request.user)
            messages.success(request, "Saved. The members see it.")
            return redirect("team", offering, pk)
        except TeamRefused as refusal:
            form.add_error(None, str(refusal))
    return render_page(request, TEAM, team_page(viewer, found, form=form), enrollment=viewer, status=422)


@signed_in
@require_POST
def except_size(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Let a team have another size, with a reason, or take that back. Field: `reason`."""
    _, found = get_team_for_staff(request.user, offering, pk)
    try:
        if staffing.except_size(team=found, reason=_words(request, "reason"), by=request.user):
            messages.success(request, "Saved. The exception is in the audit log.")
    except TeamRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("team", offering, pk)


@signed_in
@require_POST
def disband(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take everybody out and end the team. Field: `reason`, which they read."""
    _, found = get_team_for_staff(request.user, offering, pk)
    try:
        count = staffing.disband(team=found, reason=_words(request, "reason"), by=request.user)
        told = f" {count} student{'' if count == 1 else 's'} are told." if count else ""
        messages.success(request, f"“{found.name}” is disbanded; its work is kept.{told}")
    except TeamRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("teams", offering)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def rules(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Sizes and lock date, for instructors."""
    viewer = get_instructor_enrollment(request.user, offering)
    page = rules_page(viewer, request.POST if request.method == "POST" else None)
    if page.form.is_valid():
        values = {name: page.form.cleaned_data[name] for name in ("smallest", "largest", "lock_at")}
        staffing.set_rules(offering=viewer.offering, **values, by=request.user)
        messages.success(request, "Saved. Students see it on their project page; teams that stand keep their members.")
        return redirect("teams", offering)
    status = 422 if page.form.is_bound else 200
    return render_page(request, "teams/rules.html", page, enrollment=viewer, status=status)


def _signed(viewer: Enrollment, plan: Plan) -> str:
    return staffing.sign(plan, offering=viewer.offering, by=viewer.user)


def _plan(request: AuthenticatedHttpRequest, viewer: Enrollment, page: PlanPage, status: int) -> HttpResponse:
    return render_page(request, PLAN, page, enrollment=viewer, status=status)


def _told(request: AuthenticatedHttpRequest, offering: str, plan: Plan) -> HttpResponseRedirect:
    count = len(plan.moves)
    if count:
        messages.success(request, f"{count} student{'' if count == 1 else 's'} moved. Each of them is told.")
    else:
        messages.info(request, "Everybody is there already; nothing changed.")
    return redirect("teams", offering)


def _words(request: AuthenticatedHttpRequest, name: str) -> str:
    """A reason as it was posted, cut to what the log keeps."""
    form = ReasonForm({"reason": request.POST.get(name, "")[:1000].replace("\0", "")})
    return str(form.cleaned_data["reason"]) if form.is_valid() else ""
