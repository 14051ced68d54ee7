"""The rule of attendance: read by staff, set by instructors after a dry run."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from attendance.forms import RulesForm, SaveRulesForm
from attendance.records import RecordRefused
from attendance.rule import Rule
from attendance.rules import RulesOutcome, RulesOutcomeChanged, dry_run, save_rules, wanted_of
from attendance.scores import rules_of
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from courses.pages import render_page

TURNED_AWAY = 422


@dataclass(frozen=True)
class RulesPage:
    """The rule in words, and its form for those who may set it."""

    rule: Rule
    form: RulesForm
    code_every_s: int
    may_edit: bool


@dataclass(frozen=True)
class DryRunPage:
    """What saving would do, before it is done."""

    outcome: RulesOutcome
    form: RulesForm
    reason: str = ""
    refusal: str = ""


@signed_in
@require_safe
def rules(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The rule."""
    viewer = get_staff_enrollment(request.user, offering)
    stored = vars(wanted_of(rules_of(viewer.offering)))
    target = f"{stored['participation_target'].normalize():f}"
    return _show(request, viewer, RulesForm(initial=stored | {"participation_target": target}))


@signed_in
@require_POST
def preview(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The dry run of what was typed; with `edit`, the form again. Nothing is stored."""
    viewer, form = get_instructor_enrollment(request.user, offering), RulesForm(request.POST)
    if not form.is_valid() or "edit" in request.POST:
        return _show(request, viewer, form)
    return _show_dry_run(request, viewer, form, dry_run(offering=viewer.offering, wanted=form.wanted))


@signed_in
@require_POST
def save(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Save it as the dry run showed it. Fields: those of the rule, `reason`, `seen`."""
    viewer, form = get_instructor_enrollment(request.user, offering), SaveRulesForm(request.POST)
    if not form.is_valid():
        return _show(request, viewer, form)
    sent = {name: form.cleaned_data[name] for name in ("reason", "seen")}
    try:
        made = save_rules(offering=viewer.offering, wanted=form.wanted, **sent, by=request.user)
    except RulesOutcomeChanged as changed:
        return _show_dry_run(request, viewer, form, changed.outcome, str(changed))
    except RecordRefused as refusal:
        outcome = dry_run(offering=viewer.offering, wanted=form.wanted)
        return _show_dry_run(request, viewer, form, outcome, str(refusal))
    count = len(made.changes)
    messages.success(request, f"Saved. {count} of {made.students} shares changed{'.' if count else ': nobody’s.'}")
    return redirect("attendance-rules", offering)


def _show(request: AuthenticatedHttpRequest, viewer: Enrollment, form: RulesForm) -> HttpResponse:
    stored = rules_of(viewer.offering)
    page = RulesPage(stored.rule, form, stored.code_every_s, may_edit=viewer.is_instructor)
    status = TURNED_AWAY if form.errors else 200
    return render_page(request, "attendance/rules.html", page, enrollment=viewer, status=status)


def _show_dry_run(
    request: AuthenticatedHttpRequest, viewer: Enrollment, form: RulesForm, outcome: RulesOutcome, refusal: str = ""
) -> HttpResponse:
    page = DryRunPage(outcome, form, reason=request.POST.get("reason", ""), refusal=refusal)
    status = TURNED_AWAY if refusal else 200
    return render_page(request, "attendance/dry_run.html", page, enrollment=viewer, status=status)
