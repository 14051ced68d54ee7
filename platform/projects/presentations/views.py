"""The order of talks: for the class to read, for staff to plan."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.access import get_enrollment, get_instructor_enrollment, get_staff_enrollment
from courses.pages import render_page
from projects.presentations import planning
from projects.presentations.access import get_staff_talk
from projects.presentations.forms import AddTalkForm, RulesForm, SessionForm
from projects.presentations.locks import TalkRefused
from projects.presentations.orders import read_order
from projects.presentations.schedule import new_fill_form, sessions_with_talks, talks_page
from projects.presentations.tallies import rules_of

TEMPLATE = "presentations/talks.html"


@signed_in
@require_safe
def talks(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All talks, in order."""
    viewer = get_enrollment(request.user, offering)
    return render_page(request, TEMPLATE, talks_page(viewer), enrollment=viewer)


@signed_in
@require_POST
def rules(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """How talks are held and scored."""
    viewer = get_instructor_enrollment(request.user, offering)
    form = RulesForm(request.POST, rules=rules_of(viewer.offering))
    if form.is_valid():
        try:
            changed = planning.set_rules(offering=viewer.offering, new=form.new, by=request.user)
            messages.success(request, "The rules are saved." if changed else "The rules were like this already.")
            return redirect("talks", offering)
        except TalkRefused as refusal:
            form.add_error("scale", str(refusal))
    return render_page(request, TEMPLATE, talks_page(viewer, rules_form=form), enrollment=viewer, status=422)


@signed_in
@require_POST
def fill(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """A talk for every team that has none. Field: `sessions`."""
    viewer = get_staff_enrollment(request.user, offering)
    form = new_fill_form(viewer.offering, request.POST)
    if form.is_valid():
        try:
            made = planning.fill(offering=viewer.offering, sessions=form.chosen, by=request.user)
            messages.success(
                request, f"{made} talk{'s are' if made > 1 else ' is'} planned. The class sees the order from now on."
            )
            return redirect("talks", offering)
        except TalkRefused as refusal:
            form.add_error(None, str(refusal))
    return render_page(request, TEMPLATE, talks_page(viewer, fill_form=form), enrollment=viewer, status=422)


@signed_in
@require_POST
def add(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """One more talk. Fields: `team`, `session`, `practice`."""
    viewer = get_staff_enrollment(request.user, offering)
    form = AddTalkForm(request.POST, offering=viewer.offering)
    if form.is_valid():
        try:
            talk = planning.add_talk(offering=viewer.offering, by=request.user, **form.cleaned_data)
            messages.success(request, f"{talk.team.name} has a talk now, the last one of its session.")
            return redirect("talks", offering)
        except TalkRefused as refusal:
            form.add_error(None, str(refusal))
    return render_page(request, TEMPLATE, talks_page(viewer, add_form=form), enrollment=viewer, status=422)


@signed_in
@require_POST
def order(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """Save an order. Fields: `order`, `session:talk` from top to bottom; `move`, a talk with `:up` or `:down`."""
    viewer = get_staff_enrollment(request.user, offering)
    try:
        wanted = read_order(
            request.POST.getlist("order"), request.POST.get("move", ""), sessions_with_talks(viewer.offering)
        )
        changed = planning.arrange(offering=viewer.offering, order=wanted, by=request.user)
        messages.success(request, "The order is saved." if changed else "The talks were in this order already.")
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("talks", offering)


@signed_in
@require_POST
def move(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Put a talk into another session. Field: `session`."""
    viewer, found = get_staff_talk(request.user, offering, pk)
    form = SessionForm(request.POST, offering=viewer.offering)
    try:
        if not form.is_valid():
            messages.error(request, sentence(form))
        elif planning.move(talk=found, session=form.cleaned_data["session"], by=request.user):
            messages.success(request, f"{found.team.name} is the last one of that session now.")
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("talk", offering, pk)


@signed_in
@require_POST
def remove(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take a talk off the schedule."""
    _, found = get_staff_talk(request.user, offering, pk)
    try:
        planning.remove(talk=found, by=request.user)
        messages.success(request, f"The talk of {found.team.name} is off the schedule.")
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("talk", offering, pk)
    return redirect("talks", offering)
