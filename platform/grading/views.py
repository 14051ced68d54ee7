"""Watching a job, and stopping it."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config import connections
from grading import services
from grading.access import JobAccess, get_job_for
from grading.pages import job_page_url, progress_context
from grading.progress import ProgressSnapshot, snapshot
from grading.stream import events


@signed_in
@require_safe
def job_progress(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Where the job stands, as a part of a page."""
    access = get_job_for(request.user, pk)
    return render(
        request, "grading/progress.html", {**progress_context(_snapshot_for(access), job_page_url(access.job))}
    )


async def job_events(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The same, again whenever it changes, as server-sent events. The right to see it is checked before the stream starts."""
    opened = await sync_to_async(_open_stream)(request, pk)
    if not isinstance(opened, tuple):
        return opened
    access, first, result_url = opened
    stream = events(first, result_url=result_url, for_student=not access.viewer.is_staff)
    response = StreamingHttpResponse(stream, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


@signed_in
@require_POST
def job_cancel(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """Stop a job that waits or runs."""
    access = get_job_for(request.user, pk)
    if not access.may_stop:
        messages.error(request, "Course staff asked for this run, so only they can stop it. It goes on.")
    elif services.cancel(job=access.job, by=request.user):
        messages.success(request, "The run was stopped. Your files are kept.")
    else:
        messages.info(request, "The run had already ended, so there was nothing to stop.")
    return redirect(job_page_url(access.job))


def _snapshot_for(access: JobAccess) -> ProgressSnapshot:
    """The snapshot as this viewer may see it."""
    found = snapshot(access.job)
    return found if access.viewer.is_staff else found.for_student()


def _open_stream(request: HttpRequest, pk: int) -> tuple[JobAccess, ProgressSnapshot, str] | HttpResponseBase:
    """In a thread, where the database may be asked: who watches which job, and where it stands now."""
    found: list[tuple[JobAccess, ProgressSnapshot, str]] = []

    @signed_in
    @require_safe
    def gate(request: AuthenticatedHttpRequest) -> HttpResponse:
        access = get_job_for(request.user, pk)
        found.append((access, _snapshot_for(access), job_page_url(access.job)))
        return HttpResponse()

    response = gate(request)
    connections.give_back()  # the stream outlives by far what was asked just now
    return found[0] if found else response
