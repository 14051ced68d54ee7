"""The boards of a lab: the page, joining and leaving, and staff taking a name off or putting it back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.pages import render_page
from reviews.boards import services
from reviews.boards.access import get_board_member_for_staff, get_boards_for
from reviews.boards.forms import HideForm, JoinForm
from reviews.boards.selectors import boards_page


@signed_in
@require_safe
def boards(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """All boards of a lab."""
    enrollment, assignment = get_boards_for(request.user, offering, lab)
    return render_page(request, "boards/boards.html", boards_page(assignment, enrollment), enrollment=enrollment)


@signed_in
@require_POST
def join(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """Join, or take another name. Field: `name`."""
    enrollment, assignment = get_boards_for(request.user, offering, lab)
    form = JoinForm(request.POST)
    try:
        if form.is_valid():
            services.join(assignment=assignment, enrollment=enrollment, name=form.cleaned_data["name"])
            messages.success(request, "You are on. What you hand in is run once more by us, and then it is here.")
            return redirect("boards", offering, lab)
        wrong = sentence(form)
    except services.BoardRefused as refused:
        wrong = str(refused)
    page = boards_page(assignment, enrollment, typed=request.POST.get("name", ""), wrong=wrong)
    return render_page(request, "boards/boards.html", page, enrollment=enrollment, status=422)


@signed_in
@require_POST
def leave(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponseRedirect:
    """Leave all boards of the lab."""
    enrollment, assignment = get_boards_for(request.user, offering, lab)
    if services.leave(assignment=assignment, enrollment=enrollment):
        messages.success(request, "You are off the boards, and what stood there under your name is deleted.")
    return redirect("boards", offering, lab)


@signed_in
@require_POST
def hide(request: AuthenticatedHttpRequest, offering: str, lab: str, pk: int) -> HttpResponseRedirect:
    """Take a name off. Field: `reason`."""
    _, member = get_board_member_for_staff(request.user, offering, lab, pk)
    form = HideForm(request.POST)
    if not form.is_valid():
        messages.error(request, sentence(form))
    elif services.hide(member=member, reason=form.cleaned_data["reason"], by=request.user):
        messages.success(request, f"“{member.name}” is off. Its student reads why.")
    return redirect("boards", offering, lab)


@signed_in
@require_POST
def show(request: AuthenticatedHttpRequest, offering: str, lab: str, pk: int) -> HttpResponseRedirect:
    """Put a name back."""
    _, member = get_board_member_for_staff(request.user, offering, lab, pk)
    if services.show(member=member, by=request.user):
        messages.success(request, f"“{member.name}” is back.")
    return redirect("boards", offering, lab)
