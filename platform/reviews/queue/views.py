"""The review queue, for staff: what is left, the next one, marks, undo."""

from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_staff_enrollment
from courses.pages import render_page
from reviews.marking.models import Review
from reviews.marking.services import ReviewConflict, ReviewRefused
from reviews.queue import claims, names, services, undo
from reviews.queue.access import Desk, get_desk_for, get_queue_for, get_upload_for
from reviews.queue.drafts import Draft, draft_again
from reviews.queue.filters import QueueFilter
from reviews.queue.forms import MarksForm
from reviews.queue.handed_in import suffix_of
from reviews.queue.lists import assignment_page, queue_page
from reviews.queue.sheets import items_of, sheet_page
from reviews.queue.ways import go_on, to_list, to_submission
from submissions import storage


@signed_in
@require_safe
def queue(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All that is graded by hand, with how far it is."""
    enrollment = get_staff_enrollment(request.user, offering)
    return render_page(request, "queue/queue.html", queue_page(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def queue_assignment(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponse:
    """An assignment's submissions. In the address: `show`, `q` (a receipt number), `page`."""
    enrollment, found = get_queue_for(request.user, offering, assignment)
    shown = names.are_shown(request.session, found.pk)
    page = assignment_page(
        enrollment, found, QueueFilter.of(request.GET), page=request.GET.get("page", "1"), names=shown
    )
    return render_page(request, "queue/assignment.html", page, enrollment=enrollment)


@signed_in
@require_POST
def queue_next(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponseRedirect:
    """Claim the next submission that is to be graded, and open it."""
    _, found = get_queue_for(request.user, offering, assignment)
    return go_on(request, found)


@signed_in
@require_safe
def queue_submission(request: AuthenticatedHttpRequest, offering: str, assignment: str, pk: int) -> HttpResponse:
    """One submission with its rubric."""
    desk = get_desk_for(request.user, offering, assignment, pk)
    former = undo.taken_back(request.session, pk)
    typed = draft_again(former) if former and not desk.here.is_graded else None
    return _sheet(request, desk, typed=typed, taken_back=former is not None)


@signed_in
@require_POST
def queue_save(request: AuthenticatedHttpRequest, offering: str, assignment: str, pk: int) -> HttpResponse:
    """Store the marks and go on. Fields: `mark-` and `comment-` with each item's id, and those of `MarksForm`."""
    desk = get_desk_for(request.user, offering, assignment, pk)
    form = MarksForm(request.POST, items=items_of(desk.assignment))
    try:
        step = services.save(submission=desk.submission, purpose=desk.here.purpose, given=form.given(), by=request.user)
    except ReviewRefused as refusal:
        return _sheet(request, desk, typed=form.draft(), refusal=str(refusal), status=422)
    except ReviewConflict as conflict:
        return _sheet(request, desk, typed=form.draft(), met=conflict.review, status=409)
    undo.remember(request.session, step)
    return go_on(request, desk.assignment, desk)


@signed_in
@require_POST
def queue_skip(request: AuthenticatedHttpRequest, offering: str, assignment: str, pk: int) -> HttpResponseRedirect:
    """Give the submission back and go on; it comes again after all others."""
    desk = get_desk_for(request.user, offering, assignment, pk)
    claims.release(submission_pk=pk, grader=request.user)
    return go_on(request, desk.assignment, desk)


@signed_in
@require_POST
def queue_undo(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponseRedirect:
    """Take the last save back, and go to its submission."""
    _, found = get_queue_for(request.user, offering, assignment)
    step = undo.last(request.session, found.pk)
    if step is None:
        messages.info(request, "There is no save of yours to take back.")
        return to_list(request, found)
    desk = get_desk_for(request.user, offering, assignment, step.submission_pk)
    try:
        taken = services.take_back(step=step, submission=desk.submission, by=request.user)
        undo.set_aside(request.session, step.submission_pk, taken)
    except services.UndoRefused as refusal:
        messages.error(request, str(refusal))
    undo.forget(request.session, step)
    return to_submission(request, found, step.submission_pk)


@signed_in
@require_POST
def queue_renew(request: AuthenticatedHttpRequest, offering: str, assignment: str, pk: int) -> JsonResponse:
    """Hold the submission on; as JSON, whether it is held, and who reads it if not."""
    desk = get_desk_for(request.user, offering, assignment, pk)
    purpose = desk.here.purpose
    held = not desk.here.is_graded and claims.claim(submission_pk=pk, purpose=purpose, grader=request.user)
    reader = "" if held else claims.holder(submission_pk=pk, purpose=purpose)
    return JsonResponse({"held": held, "graded": desk.here.is_graded, "reader": reader})


@signed_in
@require_POST
def queue_names(request: AuthenticatedHttpRequest, offering: str, assignment: str) -> HttpResponseRedirect:
    """Show students' names on this assignment's pages, which is put on record, or hide them again."""
    _, found = get_queue_for(request.user, offering, assignment)
    if names.toggle(request.session, found.pk):
        services.show_names(assignment=found, by=request.user)
    submission = request.POST.get("submission", "")
    if submission.isascii() and submission.isdecimal() and len(submission) < 18:
        return to_submission(request, found, int(submission))
    return to_list(request, found)


@signed_in
@require_safe
def queue_file(
    request: AuthenticatedHttpRequest, offering: str, assignment: str, pk: int, file_pk: int
) -> FileResponse:
    """A file that was uploaded, under a name that tells nothing of its student."""
    found = get_upload_for(request.user, offering, assignment, pk, file_pk)
    response = FileResponse(
        storage.open_file(found.sha256),
        as_attachment=True,
        filename=f"{assignment}-{pk}-{file_pk}{suffix_of(found)}",
        content_type="application/octet-stream",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _sheet(
    request: AuthenticatedHttpRequest,
    desk: Desk,
    *,
    typed: Draft | None = None,
    refusal: str = "",
    met: Review | None = None,
    taken_back: bool = False,
    status: int = 200,
) -> HttpResponse:
    page = sheet_page(
        desk,
        QueueFilter.of(request.GET),
        names=names.are_shown(request.session, desk.assignment.pk),
        undo=undo.last(request.session, desk.assignment.pk),
        typed=typed,
        refusal=refusal,
        met=met,
        taken_back=taken_back,
    )
    return render_page(request, "queue/sheet.html", page, enrollment=desk.enrollment, status=status)
