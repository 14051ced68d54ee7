"""Rubrics: read by staff, edited and taken back by instructors. Nothing is stored before the dry run was seen."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.access import get_staff_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from reviews.marking.services import ReviewRefused
from reviews.models import Rubric
from reviews.rubrics import selectors, services
from reviews.rubrics.access import get_change_for, get_rubric_for, get_rubric_to_edit, get_source_for
from reviews.rubrics.answers import read_sent, show_conflict, show_dry_run, show_editor, show_errors
from reviews.rubrics.editor import edit_page, pressed
from reviews.rubrics.files import to_file
from reviews.rubrics.forms import FileForm, SaveForm
from reviews.rubrics.history import change_page
from reviews.rubrics.services import OutcomeChanged, RubricConflict
from reviews.rubrics.spec import RubricSpec, for_another, spec_of
from reviews.rubrics.typed import from_post, from_spec


@signed_in
@require_safe
def rubrics(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Every assignment that is marked by hand."""
    enrollment = get_staff_enrollment(request.user, offering)
    return render_page(request, "rubrics/rubrics.html", selectors.rubrics_page(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def rubric(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """One rubric, and what was changed about it."""
    enrollment, found = get_rubric_for(request.user, offering, slug)
    return render_page(request, "rubrics/rubric.html", selectors.rubric_page(enrollment, found), enrollment=enrollment)


@signed_in
@require_safe
def file(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """The rubric as a file."""
    _, found = get_rubric_for(request.user, offering, slug)
    response = HttpResponse(to_file(spec_of(found)), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="rubric-{slug}.json"'
    return response


@signed_in
@require_safe
def edit(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """The editor with what is stored."""
    enrollment, found = get_rubric_to_edit(request.user, offering, slug)
    page = edit_page(found, from_spec(spec_of(found), found.revision))
    return show_editor(request, page, enrollment)


@signed_in
@require_POST
def draft(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """The editor after a press of one of its buttons (`act`), or again with what was typed. Nothing is stored."""
    enrollment, found = get_rubric_to_edit(request.user, offering, slug)
    act = request.POST.get("act", "")
    typed = pressed(found, from_post(request.POST), act)
    focus = typed.items[-1].uid if act == "add" and typed.items else ""
    return show_editor(request, edit_page(found, typed, focus=focus), enrollment)


@signed_in
@require_POST
def read(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """The editor with the rubric of a file (`file`) or of another assignment (`source`). Nothing is stored."""
    enrollment, found = get_rubric_to_edit(request.user, offering, slug)
    if source := request.POST.get("source", ""):
        other = get_source_for(request.user, found, source)
        return _begin(request, enrollment, found, spec_of(other), f"Copied from {other.assignment}")
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, sentence(form))
        return redirect("rubric", offering, slug)
    return _begin(request, enrollment, found, form.cleaned_data["file"], "Read from the file")


@signed_in
@require_POST
def preview(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """The dry run of what was typed. Nothing is stored."""
    sent = read_sent(request, offering, slug)
    if sent.rubric.revision != sent.typed.revision:
        return show_conflict(request, sent)
    if sent.checked.spec is None:
        return show_errors(request, sent)
    return show_dry_run(request, sent)


@signed_in
@require_POST
def save(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """Save it as the dry run showed it. Fields: those of the editor, `reapply`, `reason`, `seen`."""
    sent, form = read_sent(request, offering, slug), SaveForm(request.POST)
    if sent.checked.spec is None:
        return show_errors(request, sent)
    if not form.is_valid():
        return show_dry_run(request, sent, refusal=sentence(form))
    try:
        made = services.save_rubric(**sent.arguments(), **form.cleaned_data, by=request.user)
    except RubricConflict:
        return show_conflict(request, read_sent(request, offering, slug))
    except (OutcomeChanged, ReviewRefused) as refusal:
        return show_dry_run(request, sent, refusal=str(refusal))
    messages.success(request, "Saved, and every mark with a level has its new points." if made.reapplied else "Saved.")
    return redirect("rubric-change", offering, slug, made.pk)


@signed_in
@require_safe
def change(request: AuthenticatedHttpRequest, offering: str, slug: str, pk: int) -> HttpResponse:
    """What one act changed, student by student."""
    enrollment, found, made = get_change_for(request.user, offering, slug, pk)
    page = change_page(enrollment, found, made)
    return render_page(request, "rubrics/change.html", page, enrollment=enrollment)


@signed_in
@require_POST
def revert(request: AuthenticatedHttpRequest, offering: str, slug: str, pk: int) -> HttpResponseRedirect:
    """Bring back the rubric and the marks as they were before this act."""
    get_rubric_to_edit(request.user, offering, slug)
    _, _, made = get_change_for(request.user, offering, slug, pk)
    try:
        if services.revert(change=made, by=request.user):
            messages.success(request, "Reverted: rubric and marks are as they were before.")
        else:
            messages.info(request, "That was done already; nothing changed now.")
    except ReviewRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("rubric-change", offering, slug, pk)


def _begin(
    request: AuthenticatedHttpRequest, enrollment: Enrollment, found: Rubric, spec: RubricSpec, origin: str
) -> HttpResponse:
    typed = from_spec(for_another(spec, spec_of(found)), found.revision)
    return show_editor(request, edit_page(found, typed, notice=origin), enrollment)
