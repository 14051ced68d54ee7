"""A student's project: the team, its invitations, and the board."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.lists import sought
from courses.models import Enrollment
from courses.pages import render_page
from projects.teams import services
from projects.teams.access import get_classmate_for, get_invitation_for, get_student_enrollment, get_team_to_ask
from projects.teams.forms import InviteForm, PostForm, TeamForm
from projects.teams.models import Invitation
from projects.teams.notices import put_away
from projects.teams.pages import board_page, project_page
from projects.teams.people import Directory
from projects.teams.rules import TeamRefused
from projects.teams.selectors import students_of

PROJECT, BOARD = "teams/project.html", "teams/board.html"


@signed_in
@require_safe
def project(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The student's team, or how to come by one."""
    viewer = get_student_enrollment(request.user, offering)
    return render_page(request, PROJECT, project_page(viewer), enrollment=viewer)


@signed_in
@require_POST
def create(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Form a team. A refusal comes back with what was typed."""
    viewer = get_student_enrollment(request.user, offering)
    form = TeamForm(request.POST)

    def act() -> str:
        team = services.create_team(enrollment=viewer, details=form.details)
        return f"The team “{team.name}” is formed, with you in it. Invite your classmates below."

    return _team_form(request, viewer, form, act)


@signed_in
@require_POST
def edit(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Change the team's name, kind or topic."""
    viewer = get_student_enrollment(request.user, offering)
    form = TeamForm(request.POST)

    def act() -> str:
        changed = services.change_team(enrollment=viewer, details=form.details)
        return "Saved. All members see it." if changed else "Nothing was different, so nothing changed."

    return _team_form(request, viewer, form, act)


@signed_in
@require_POST
def leave(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """Leave the team."""
    viewer = get_student_enrollment(request.user, offering)

    def act() -> str:
        team = services.leave_team(enrollment=viewer)
        ended = " Nobody is left in it, so it is disbanded; its work is kept." if team.disbanded_at else ""
        return f"You are not in “{team.name}” any more.{ended}"

    return _carried_out(request, act, "project", offering)


@signed_in
@require_POST
def invite(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Invite the classmate whose name or address was typed. A refusal comes back with it."""
    viewer = get_student_enrollment(request.user, offering)
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            student = Directory(students_of(viewer.offering)).find(form.cleaned_data["who"])
            messages.success(request, _invited(services.invite(enrollment=viewer, student=student)))
            return redirect("project", offering)
        except TeamRefused as refusal:
            form.add_error("who", str(refusal))
    page = project_page(viewer, invite_form=form)
    return render_page(request, PROJECT, page, enrollment=viewer, status=422)


@signed_in
@require_POST
def invite_classmate(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Invite a classmate from the board."""
    viewer, classmate = get_classmate_for(request.user, offering, pk)
    return _carried_out(
        request, lambda: _invited(services.invite(enrollment=viewer, student=classmate)), "team-board", offering
    )


@signed_in
@require_POST
def ask(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Ask a team to be taken."""
    viewer, team = get_team_to_ask(request.user, offering, pk)

    def act() -> str:
        asked = services.ask_to_join(enrollment=viewer, team=team)
        if asked.accepted_at:
            return f"“{team.name}” had invited you, so you are in the team now."
        return f"You have asked “{team.name}”. Any member can say yes; you see it here and on your overview."

    return _carried_out(request, act, "project", offering)


@signed_in
@require_POST
def accept(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Say yes to an invitation, or to a student's question."""
    viewer, invitation = get_invitation_for(request.user, offering, pk)

    def act() -> str:
        team = services.accept(invitation=invitation, by=viewer)
        who = f"{invitation.enrollment.user.name} is" if invitation.by_student else "You are"
        return f"{who} in the team “{team.name}” now."

    return _carried_out(request, act, "project", offering)


@signed_in
@require_POST
def decline(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Say no to either."""
    viewer, invitation = get_invitation_for(request.user, offering, pk)

    def act() -> str:
        services.decline(invitation=invitation, by=viewer)
        return "Declined. Nobody is told more than that."

    return _carried_out(request, act, "project", offering)


@signed_in
@require_POST
def withdraw(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take an invitation or a question back."""
    viewer, invitation = get_invitation_for(request.user, offering, pk)

    def act() -> str:
        services.withdraw(invitation=invitation, by=viewer)
        return "Taken back."

    return _carried_out(request, act, "project", offering)


@signed_in
@require_POST
def seen(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """Put the notices of what staff did away."""
    viewer = get_student_enrollment(request.user, offering)
    put_away(enrollment=viewer)
    return redirect("project", offering)


@signed_in
@require_safe
def board(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Teams with a free place, or with `?show=people` who has no team; `?q=` searches, `?page=` goes on."""
    viewer = get_student_enrollment(request.user, offering)
    q, number = sought(request)
    page = board_page(viewer, show=request.GET.get("show", ""), q=q, number=number)
    return render_page(request, BOARD, page, enrollment=viewer)


@signed_in
@require_POST
def post(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Write on the board what one looks for. Field: `text`."""
    viewer = get_student_enrollment(request.user, offering)
    form = PostForm(request.POST)
    if form.is_valid():
        try:
            services.post_on_board(enrollment=viewer, text=form.cleaned_data["text"])
            messages.success(request, "It is on the board. Teams with a free place can invite you from there.")
            return redirect("team-board", offering)
        except TeamRefused as refusal:
            form.add_error(None, str(refusal))
    return render_page(request, BOARD, board_page(viewer, form=form), enrollment=viewer, status=422)


@signed_in
@require_POST
def unpost(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """Take one's post off the board."""
    viewer = get_student_enrollment(request.user, offering)
    if services.take_off_board(enrollment=viewer):
        messages.success(request, "Your post is off the board. Your name stays in the list of those without a team.")
    return redirect("team-board", offering)


def _team_form(
    request: AuthenticatedHttpRequest, viewer: Enrollment, form: TeamForm, act: Callable[[], str]
) -> HttpResponse:
    """Do it with a valid form and tell; otherwise the page again, with what was typed."""
    if form.is_valid():
        try:
            messages.success(request, act())
            return redirect("project", viewer.offering.slug)
        except TeamRefused as refusal:
            form.add_error(None, str(refusal))
    page = project_page(viewer, team_form=form)
    return render_page(request, PROJECT, page, enrollment=viewer, status=422)


def _carried_out(
    request: AuthenticatedHttpRequest, act: Callable[[], str], name: str, offering: str
) -> HttpResponseRedirect:
    """Do it and tell, or tell why not."""
    try:
        messages.success(request, act())
    except TeamRefused as refusal:
        messages.error(request, str(refusal))
    return redirect(name, offering)


def _invited(invitation: Invitation) -> str:
    name = invitation.enrollment.user.name
    if invitation.accepted_at:
        return f"{name} had asked to join, so they are in the team now."
    return f"{name} is invited, and sees it on their overview."
