"""The grading scheme: read by staff, edited and taken back by instructors. Nothing is stored before the dry run was seen."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.pages import render_page
from gradebook.policies import selectors, services
from gradebook.policies.access import get_change_for, get_change_to_revert
from gradebook.policies.answers import read_sent, show_conflict, show_editor, show_errors, show_revert, show_trial
from gradebook.policies.editor import edit_page
from gradebook.policies.forms import SaveForm
from gradebook.policies.services import OutcomeChanged, SchemeConflict, SchemeRefused
from gradebook.policies.spec import spec_of
from gradebook.policies.typed import act_on, from_post, from_spec


@signed_in
@require_safe
def scheme(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """How grades are made, and what was changed about that."""
    viewer = get_staff_enrollment(request.user, offering)
    return render_page(request, "gradebook/grading.html", selectors.scheme_page(viewer), enrollment=viewer)


@signed_in
@require_safe
def edit(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The editor with what is stored."""
    viewer = get_instructor_enrollment(request.user, offering)
    typed = from_spec(spec_of(viewer.offering), services.revision_of(viewer.offering))
    return show_editor(request, edit_page(typed), viewer)


@signed_in
@require_POST
def draft(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The editor after a press of one of its buttons (`act`), or again with what was typed. Nothing is stored."""
    viewer = get_instructor_enrollment(request.user, offering)
    act = request.POST.get("act", "")
    typed = act_on(from_post(request.POST), act)
    focus = ""
    if act.startswith("add-letter:"):
        focus = f"f-letters-letter-{act.partition(':')[2]}"
    elif act.startswith("add") and typed.components:
        focus = f"f-{typed.components[-1].uid}-name"
    return show_editor(request, edit_page(typed, focus=focus), viewer)


@signed_in
@require_POST
def preview(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The dry run of what was typed. Nothing is stored."""
    sent = read_sent(request, offering)
    if services.revision_of(sent.viewer.offering) != sent.typed.revision:
        return show_conflict(request, sent)
    return show_trial(request, sent) if sent.checked.spec else show_errors(request, sent)


@signed_in
@require_POST
def save(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Save it as the dry run showed it. Fields: those of the editor, `reason`, `seen`."""
    sent, form = read_sent(request, offering), SaveForm(request.POST)
    if sent.checked.spec is None:
        return show_errors(request, sent)
    if not form.is_valid():
        return show_trial(request, sent, refusal=sentence(form))
    try:
        made = services.change_scheme(
            offering=sent.viewer.offering,
            spec=sent.checked.spec,
            revision=sent.typed.revision,
            by=request.user,
            **form.cleaned_data,
        )
    except SchemeConflict:
        return show_conflict(request, read_sent(request, offering))
    except (OutcomeChanged, SchemeRefused) as refusal:
        return show_trial(request, sent, refusal=str(refusal))
    messages.success(request, "Saved. Every grade goes by the new scheme.")
    return redirect("grading-change", offering, made.pk)


@signed_in
@require_safe
def change(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """What one change did to the scheme."""
    viewer, made = get_change_for(request.user, offering, pk)
    return render_page(request, "gradebook/grading_change.html", selectors.change_page(viewer, made), enrollment=viewer)


@signed_in
@require_safe
def try_revert(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The dry run of taking a change back; one that cannot be taken back says so on its own page."""
    viewer, made = get_change_to_revert(request.user, offering, pk)
    if services.why_not_revert(made):
        return redirect("grading-change", offering, pk)
    return show_revert(request, viewer, made)


@signed_in
@require_POST
def revert(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse | HttpResponseRedirect:
    """Bring back the scheme as it was before this change. Field: `seen`."""
    viewer, made = get_change_to_revert(request.user, offering, pk)
    try:
        if services.revert(change=made, by=request.user, seen=request.POST.get("seen", "")[:64]):
            messages.success(request, "Reverted: the scheme is as it was before.")
        else:
            messages.info(request, "That was done already; nothing changed now.")
    except OutcomeChanged as refusal:
        return show_revert(request, viewer, made, refusal=str(refusal))
    except SchemeRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("grading-change", offering, pk)
