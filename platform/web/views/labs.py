"""The lab page and its three buttons: save (by itself), *Run checks*, *Submit*. Each works as a plain form."""

from __future__ import annotations

import secrets
from contextlib import suppress

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import reswap, retarget

from accounts.http import AuthenticatedHttpRequest, signed_in
from assignments.access import get_assignment_for
from assignments.models import Assignment
from courses.access import get_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from grader.api import student_release_zip
from grading import services
from grading.pages import job_page_url, progress_context
from grading.progress import snapshot
from submissions.drafts import DraftConflict
from submissions.drafts import save_draft as keep_draft
from submissions.services import SubmissionRefused
from web.forms import PostedWork, posted_work
from web.selectors.dashboard import staff_dashboard_page
from web.selectors.labs import lab_page, labs_page


@signed_in
@require_safe
def lab_list(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All labs: how a student stands in each, and for staff how each one stands."""
    enrollment = get_enrollment(request.user, offering)
    if enrollment.is_staff:
        return render_page(
            request, "assignments/labs_staff.html", staff_dashboard_page(enrollment), enrollment=enrollment
        )
    return render_page(request, "assignments/labs.html", labs_page(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def lab_detail(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """Handout and editor."""
    enrollment, assignment = get_assignment_for(request.user, offering, lab)
    page = lab_page(enrollment, assignment, client_token=secrets.token_urlsafe(24))
    return render_page(request, "assignments/lab.html", page, enrollment=enrollment)


@signed_in
@require_POST
def save_draft(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """Keep the editor's text: JSON `{revision, saved_at}`, or 409 with the stored text when it changed elsewhere.

    A browser without JavaScript is sent back to the lab page.
    """
    enrollment, assignment = get_assignment_for(request.user, offering, lab)
    work = posted_work(request)
    try:
        draft = keep_draft(
            assignment=assignment,
            enrollment=enrollment,
            sources=work.sources,
            revision=work.revision,
            tab=work.tab,
        )
    except DraftConflict as conflict:
        stored = {"detail": str(conflict), "revision": conflict.draft.revision, "sources": conflict.draft.cells}
        return JsonResponse(stored, status=409)
    if request.get_preferred_type(["text/html", "application/json"]) == "text/html":
        return redirect("lab", offering, lab)
    return JsonResponse({"revision": draft.revision, "saved_at": draft.updated_at.isoformat()})


@signed_in
@require_POST
def run(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """Run the public checks on what was posted; htmx gets the progress, a plain form goes back to the lab page."""
    enrollment, assignment = get_assignment_for(request.user, offering, lab)
    work = posted_work(request)
    _keep(enrollment, assignment, work)
    try:
        job = services.run_checks(assignment=assignment, enrollment=enrollment, files=work.incoming(assignment))
    except SubmissionRefused as refusal:
        return _refused(request, enrollment, assignment, work, refusal)
    if request.htmx:
        context = progress_context(snapshot(job).for_student(), job_page_url(job))
        return render(request, "grading/progress.html", {**context})
    return redirect(f"{job_page_url(job)}#checks")


@signed_in
@require_POST
def submit(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """Hand in what was posted. The result page carries the receipt; a refusal comes back with the text still there."""
    enrollment, assignment = get_assignment_for(request.user, offering, lab)
    work = posted_work(request)
    _keep(enrollment, assignment, work)
    try:
        made = services.hand_in(
            assignment=assignment,
            enrollment=enrollment,
            files=work.incoming(assignment),
            source=work.source,
            client_token=work.client_token,
            supersede=work.supersede,
            received_at=request.received_at,
        )
    except SubmissionRefused as refusal:
        return _refused(request, enrollment, assignment, work, refusal)
    return redirect("submission", made.pk)


@signed_in
@require_safe
def starter(request: AuthenticatedHttpRequest, offering: str, lab: str) -> HttpResponse:
    """The student version as a zip, to work at home."""
    _, assignment = get_assignment_for(request.user, offering, lab)
    if assignment.lab is None:
        raise Http404(f"{assignment.label} is not published yet.")
    response = HttpResponse(student_release_zip(assignment.lab.folder), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{assignment.slug}.zip"'
    return response


def _keep(enrollment: Enrollment, assignment: Assignment, work: PostedWork) -> None:
    """Save the editor's text with the press of a button. A newer draft from another window stays as it is."""
    if work.sources:
        with suppress(DraftConflict):
            keep_draft(
                assignment=assignment,
                enrollment=enrollment,
                sources=work.sources,
                revision=work.revision,
                tab=work.tab,
            )


def _refused(
    request: AuthenticatedHttpRequest,
    enrollment: Enrollment,
    assignment: Assignment,
    work: PostedWork,
    refusal: SubmissionRefused,
) -> HttpResponse:
    """The lab page again, with the reason and the posted text; htmx gets the reason alone, beside the text it still has."""
    if request.htmx:
        notice = render(request, "components/refusal.html", {"refusal": refusal}, status=422)
        return reswap(retarget(notice, "#refusal"), "innerHTML")
    page = lab_page(
        enrollment,
        assignment,
        client_token=work.client_token or secrets.token_urlsafe(24),
        refusal=refusal,
        unsaved=work.sources,
    )
    return render_page(request, "assignments/lab.html", page, enrollment=enrollment, status=422)
