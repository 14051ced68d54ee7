"""A reading and the student's summary of it: written and saved in the page, handed in, read again. Each act works as a plain form."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from assignments.models import Assignment
from courses.models import Enrollment
from courses.pages import render_page
from readings.models import Reading
from readings.summaries.access import (
    get_own_reading_for,
    get_reading_for,
    get_summary_for,
    get_summary_pair_for,
    get_version_for,
)
from readings.summaries.attempts import compared, summary_page
from readings.summaries.selectors import Answer, own_texts, reading_page, staff_reading_page, versions_page
from readings.summaries.services import SomeItemsEmpty, check_lengths, hand_in_file, hand_in_texts
from submissions.drafts import DraftConflict, restore_version, save_draft
from submissions.models import Draft, Submission
from submissions.services import SubmissionRefused
from web.forms import PostedWork, posted_work

PAGE = "readings/reading.html"


@signed_in
@require_safe
def reading(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponse:
    """The paper, and beside it the six items, or what was handed in."""
    enrollment, found = get_reading_for(request.user, offering, reading)
    if enrollment.is_staff:
        page = staff_reading_page(enrollment, found)
        return render_page(request, "readings/reading_staff.html", page, enrollment=enrollment)
    own = reading_page(enrollment, found, client_token=secrets.token_urlsafe(24))
    return render_page(request, PAGE, own, enrollment=enrollment)


@signed_in
@require_POST
def draft(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponse:
    """Keep the text: JSON `{revision, saved_at}`, or 409 with the stored text when it changed elsewhere, 422 when it is too long.

    A plain form gets the page again, with both texts where they differ.
    """
    enrollment, found = get_own_reading_for(request.user, offering, reading)
    work, wants_page = posted_work(request), _wants_page(request)
    try:
        kept = _keep(enrollment, found.assignment, work)
    except SubmissionRefused as refusal:
        if wants_page:
            return _again(request, enrollment, found, work, Answer(refusal=refusal))
        return JsonResponse({"detail": str(refusal)}, status=422)
    except DraftConflict as conflict:
        if wants_page:
            return _again(request, enrollment, found, work, Answer(refusal=str(conflict), conflict=conflict.draft))
        return JsonResponse(_stored(conflict), status=409)
    if wants_page:
        return redirect("reading", offering, reading)
    return JsonResponse({"revision": kept.revision, "saved_at": kept.updated_at.isoformat()})


@signed_in
@require_POST
def submit(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponse:
    """Hand in what was posted. A refusal, or a question, comes back with the text still there."""
    enrollment, found = get_own_reading_for(request.user, offering, reading)
    work = posted_work(request)
    try:
        made = _hand_in(enrollment, found.assignment, work, request.received_at)
    except SubmissionRefused as refusal:
        return _again(request, enrollment, found, work, Answer(refusal=refusal))
    except SomeItemsEmpty as question:
        return _again(request, enrollment, found, work, Answer(empty=str(question)))
    except DraftConflict as conflict:
        answer = Answer(refusal=f"{conflict} Nothing was handed in.", conflict=conflict.draft)
        return _again(request, enrollment, found, work, answer)
    messages.success(request, _thanks(made))
    return redirect("reading", offering, reading)


@signed_in
@require_POST
def preview(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponse:
    """A text as graders will see it. Nothing is stored."""
    get_own_reading_for(request.user, offering, reading)
    text = request.POST.get("text", "")
    try:
        check_lengths({"text": text})
    except SubmissionRefused as refusal:
        return render(request, "components/notice.html", {"kind": "error", "text": str(refusal)}, status=422)
    return render(request, "readings/preview.html", {"text": text})


@signed_in
@require_safe
def versions(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponse:
    """Everything that the student's draft has been."""
    enrollment, found = get_own_reading_for(request.user, offering, reading)
    page = versions_page(enrollment, found, page=request.GET.get("page", ""), show=request.GET.get("show", ""))
    return render_page(request, "readings/versions.html", page, enrollment=enrollment)


@signed_in
@require_POST
def restore(request: AuthenticatedHttpRequest, offering: str, reading: str, pk: int) -> HttpResponseRedirect:
    """Make an earlier version the draft again."""
    version = get_version_for(request.user, offering, reading, pk)
    try:
        restore_version(version=version)
    except DraftConflict:
        messages.error(request, "Another window saved at the same moment, so nothing was changed. Try again.")
        return redirect("reading-versions", offering, reading)
    messages.success(
        request, "That version is your draft again. The text that it replaced is still among the versions."
    )
    return redirect("reading", offering, reading)


@signed_in
@require_safe
def summary(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """One attempt at a summary, for its student and for staff."""
    access = get_summary_for(request.user, pk)
    return render_page(request, "readings/summary.html", summary_page(access), enrollment=access.viewer)


@signed_in
@require_safe
def summary_compare(request: AuthenticatedHttpRequest, pk: int, other: int) -> HttpResponse:
    """Two attempts, word by word."""
    first, second = get_summary_pair_for(request.user, pk, other)
    return render_page(request, "readings/summary_compare.html", compared(first, second), enrollment=first.viewer)


def _wants_page(request: AuthenticatedHttpRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "text/html"


def _keep(enrollment: Enrollment, assignment: Assignment, work: PostedWork) -> Draft:
    texts = own_texts(assignment, work.sources)
    check_lengths(texts)
    return save_draft(assignment=assignment, enrollment=enrollment, sources=texts, revision=work.revision, tab=work.tab)


def _hand_in(enrollment: Enrollment, assignment: Assignment, work: PostedWork, received_at: datetime) -> Submission:
    """A file as it is; or the texts, which are the draft from then on."""
    if work.files:
        if len(work.files) > 1:
            raise SubmissionRefused("A summary is one file. Choose one and hand it in.")
        return hand_in_file(
            assignment=assignment,
            enrollment=enrollment,
            file=work.files[0],
            client_token=work.client_token,
            received_at=received_at,
        )
    if not work.sources:
        raise SubmissionRefused("Nothing was sent, so nothing was handed in. Write in the page, or choose a file.")
    texts = _keep(enrollment, assignment, work).cells
    return hand_in_texts(
        assignment=assignment,
        enrollment=enrollment,
        texts=texts,
        client_token=work.client_token,
        confirmed=work.confirmed,
        received_at=received_at,
    )


def _again(
    request: AuthenticatedHttpRequest, enrollment: Enrollment, reading: Reading, work: PostedWork, answer: Answer
) -> HttpResponse:
    """The reading page with what came of the post; a question keeps its click, so that the answer to it is the same attempt."""
    texts = own_texts(reading.assignment, work.sources)
    answer = replace(answer, texts=texts, client_token=work.client_token)
    page = reading_page(enrollment, reading, client_token=secrets.token_urlsafe(24), answer=answer)
    return render_page(request, PAGE, page, enrollment=enrollment, status=422)


def _stored(conflict: DraftConflict) -> dict[str, object]:
    return {"detail": str(conflict), "revision": conflict.draft.revision, "sources": conflict.draft.cells}


def _thanks(made: Submission) -> str:
    here = timezone.localtime(made.created_at, made.enrollment.offering.zone)
    return format_html(
        'Handed in at {}. Your receipt is <a href="{}">{}</a>. You may hand in again until it is due; the last one counts.',
        date_format(here, "H:i:s"),
        reverse("submission-receipt", args=[made.pk]),
        made.receipt_number,
    )
