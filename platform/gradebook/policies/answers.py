"""What the editor's form is answered with: the form again, a conflict, a dry run. All of them give back what was typed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.http import HttpResponse

from accounts.http import AuthenticatedHttpRequest
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from gradebook.models import PolicyChange
from gradebook.policies.checks import Checked, check
from gradebook.policies.differences import differences
from gradebook.policies.editor import EditPage, edit_page
from gradebook.policies.selectors import trial_page, what_others_saved
from gradebook.policies.services import SchemeConflict, revision_of
from gradebook.policies.spec import SchemeSpec, from_data, spec_of
from gradebook.policies.trial import try_out, why_stay
from gradebook.policies.typed import TypedScheme, from_post
from gradebook.sources.collect import collect


@dataclass(frozen=True)
class Sent:
    """The form as it came: by whom, over what is stored, and whether it can be saved."""

    viewer: Enrollment
    stored: SchemeSpec
    typed: TypedScheme
    checked: Checked


def read_sent(request: AuthenticatedHttpRequest, offering: str) -> Sent:
    """The form that an instructor sent. Four queries."""
    viewer = get_instructor_enrollment(request.user, offering)
    typed, stored = from_post(request.POST), spec_of(viewer.offering)
    return Sent(viewer, stored, typed, check(typed, stored))


def show_editor(
    request: AuthenticatedHttpRequest, page: EditPage, viewer: Enrollment, *, status: int = 200
) -> HttpResponse:
    """The editor."""
    return render_page(request, "gradebook/grading_edit.html", page, enrollment=viewer, status=status)


def show_errors(request: AuthenticatedHttpRequest, sent: Sent) -> HttpResponse:
    """The editor with what is wrong beside each field."""
    return show_editor(request, edit_page(sent.typed, sent.checked), sent.viewer, status=422)


def show_conflict(request: AuthenticatedHttpRequest, sent: Sent) -> HttpResponse:
    """The editor with all that was typed, over the revision that is stored now: who saved what meanwhile, and what this would change."""
    offering = sent.viewer.offering
    typed = replace(sent.typed, revision=revision_of(offering))
    page = edit_page(
        typed,
        conflict=str(SchemeConflict(offering)),
        theirs=what_others_saved(offering, sent.typed.revision),
        yours=differences(sent.stored, sent.checked.spec) if sent.checked.spec else (),
    )
    return show_editor(request, page, sent.viewer, status=409)


def show_trial(request: AuthenticatedHttpRequest, sent: Sent, *, refusal: str = "") -> HttpResponse:
    """The dry run as it is now; with `refusal`, why it was not saved. A component that must stay leads back to the editor."""
    assert sent.checked.spec is not None  # the caller asked
    offering, spec = sent.viewer.offering, sent.checked.spec
    book = collect(offering)
    if stay := why_stay(offering, book, spec):
        return show_editor(request, edit_page(sent.typed, Checked(None, {}, stay)), sent.viewer, status=422)
    outcome = try_out(offering, spec, book=book)
    page = trial_page(offering, outcome, typed=sent.typed, reason=request.POST.get("reason", ""), refusal=refusal)
    status = 422 if refusal else 200
    return render_page(request, "gradebook/grading_trial.html", page, enrollment=sent.viewer, status=status)


def show_revert(
    request: AuthenticatedHttpRequest, viewer: Enrollment, change: PolicyChange, *, refusal: str = ""
) -> HttpResponse:
    """The dry run of taking a change back."""
    outcome = try_out(viewer.offering, from_data(change.before))
    page = trial_page(viewer.offering, outcome, change=change, refusal=refusal)
    status = 422 if refusal else 200
    return render_page(request, "gradebook/grading_trial.html", page, enrollment=viewer, status=status)
