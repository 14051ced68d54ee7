"""What the editor's form is answered with: the form again, a conflict, a dry run. All of them give back what was typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

from accounts.http import AuthenticatedHttpRequest
from courses.models import Enrollment
from courses.pages import render_page
from reviews.models import Rubric
from reviews.rubrics.access import get_rubric_to_edit
from reviews.rubrics.checks import Checked, check
from reviews.rubrics.editor import EditPage, conflict_page, edit_page
from reviews.rubrics.selectors import preview_page
from reviews.rubrics.services import RubricConflict, dry_run
from reviews.rubrics.typed import TypedRubric, from_post


@dataclass(frozen=True)
class Sent:
    """The form as it came: over which rubric, by whom, and whether it can be saved."""

    enrollment: Enrollment
    rubric: Rubric
    typed: TypedRubric
    checked: Checked

    def arguments(self) -> dict[str, Any]:
        """What the service takes of it."""
        return {
            "assignment": self.rubric.assignment,
            "spec": self.checked.spec,
            "revision": self.typed.revision,
            "also": self.typed.also,
        }


def read_sent(request: AuthenticatedHttpRequest, offering: str, slug: str) -> Sent:
    """The form that an instructor sent."""
    enrollment, rubric = get_rubric_to_edit(request.user, offering, slug)
    typed = from_post(request.POST)
    return Sent(enrollment, rubric, typed, check(typed, rubric))


def show_editor(
    request: AuthenticatedHttpRequest, page: EditPage, enrollment: Enrollment, *, status: int = 200
) -> HttpResponse:
    """The editor."""
    return render_page(request, "rubrics/edit.html", page, enrollment=enrollment, status=status)


def show_errors(request: AuthenticatedHttpRequest, sent: Sent) -> HttpResponse:
    """The editor with what is wrong beside each field."""
    page = edit_page(sent.rubric, sent.typed, sent.checked.errors)
    return show_editor(request, page, sent.enrollment, status=422)


def show_conflict(request: AuthenticatedHttpRequest, sent: Sent) -> HttpResponse:
    """The editor with all that was typed, and who saved something else meanwhile."""
    page = conflict_page(sent.rubric, sent.typed, sent.checked.spec, str(RubricConflict(sent.rubric)))
    return show_editor(request, page, sent.enrollment, status=409)


def show_dry_run(request: AuthenticatedHttpRequest, sent: Sent, *, refusal: str = "") -> HttpResponse:
    """The dry run as it is now; with `refusal`, why it was not saved."""
    assert sent.checked.spec is not None  # the caller asked
    outcome = dry_run(assignment=sent.rubric.assignment, spec=sent.checked.spec, also=sent.typed.also)
    page = preview_page(sent.rubric, sent.typed, outcome, reason=request.POST.get("reason", ""), refusal=refusal)
    status = 422 if refusal else 200
    return render_page(request, "rubrics/preview.html", page, enrollment=sent.enrollment, status=status)
