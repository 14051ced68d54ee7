"""The result of a submission, and what staff do with it."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from assignments.access import get_assignment_for, get_staff_assignment_for
from assignments.models import Kind
from courses.lists import sought
from courses.pages import render_page
from grading.services import GradingRefused, regrade
from reviews import services
from reviews.access import get_item_for, get_pair_for, get_staff_lab_submission_for
from reviews.forms import OverrideForm
from reviews.lists import attempts_page, compare_page, submissions_page
from reviews.selectors import report_for, result_page
from submissions.access import get_submission_for

# work that checks do not grade has a page of its own
PAGES: dict[str, str] = {Kind.READING: "summary", Kind.DELIVERABLE: "deliverable-submission"}


@signed_in
@require_safe
def submission(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The result page, from the first second on."""
    access = get_submission_for(request.user, pk)
    if page := PAGES.get(access.submission.assignment.kind):
        return redirect(page, pk)
    return render_page(request, "submissions/result.html", result_page(access), enrollment=access.viewer)


@signed_in
@require_safe
def report(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The report as JSON, as far as the viewer may see it."""
    found = report_for(get_submission_for(request.user, pk))
    if found is None:
        raise Http404("This submission has no report yet.")
    response = HttpResponse(found.to_json(), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="submission-{pk}-report.json"'
    return response


@signed_in
@require_safe
def compare(request: AuthenticatedHttpRequest, pk: int, other: int) -> HttpResponse:
    """Two attempts, check by check."""
    first, second = get_pair_for(request.user, pk, other)
    if first.submission.assignment.kind == Kind.READING:
        return redirect("summary-compare", pk, other)
    return render_page(request, "submissions/compare.html", compare_page(first, second), enrollment=first.viewer)


@signed_in
@require_safe
def attempts(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """The viewer's own attempts at a lab."""
    enrollment, assignment = get_assignment_for(request.user, offering, lab)
    return render_page(
        request, "assignments/attempts.html", attempts_page(enrollment, assignment), enrollment=enrollment
    )


@signed_in
@require_safe
def lab_submissions(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """Everyone's attempts at a lab, for staff."""
    enrollment, assignment = get_staff_assignment_for(request.user, offering, lab)
    q, number = sought(request)
    page = submissions_page(enrollment, assignment, only=request.GET.get("only", ""), q=q, number=number)
    return render_page(request, "assignments/submissions.html", page, enrollment=enrollment)


@signed_in
@require_POST
def override(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """Set a task's score by hand. Fields: `item`, `score` and `reason`, or `item` and `withdraw`."""
    access, item = get_item_for(request.user, pk, request.POST.get("item", ""))
    form = OverrideForm(request.POST, item=item)
    if not form.is_valid():
        messages.error(request, form.sentence())
    elif form.cleaned_data["withdraw"]:
        services.withdraw_override(submission=access.submission, item=item, by=request.user)
        messages.success(request, "The automatic score counts again.")
    else:
        score, reason = form.cleaned_data["score"], form.cleaned_data["reason"]
        services.override(submission=access.submission, item=item, score=score, reason=reason, by=request.user)
        messages.success(request, "Saved. The student sees it once you release it.")
    return redirect("submission", pk)


@signed_in
@require_POST
def release(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """Show the student what staff decided."""
    access = get_staff_lab_submission_for(request.user, pk)
    count = services.release(submission=access.submission, by=request.user)
    if count:
        messages.success(request, f"Released {count} score{'s' if count > 1 else ''}; the student sees them now.")
    else:
        messages.info(request, "There was nothing to release.")
    return redirect("submission", pk)


@signed_in
@require_POST
def regrade_submission(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """Run the checks again."""
    access = get_staff_lab_submission_for(request.user, pk)
    try:
        regrade(submission=access.submission, by=request.user)
    except GradingRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The checks run again. Scores that staff set by hand stay as they are.")
    return redirect("submission", pk)
