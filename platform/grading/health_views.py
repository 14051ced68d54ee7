"""The grader health page for staff, its buttons, and the metrics."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.pages import render_page
from grading import drains, metrics
from grading.access import get_grader_staff, get_worker_for
from grading.fleet import Worker
from grading.health import health_page


@signed_in
@require_safe
def grader_health(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The whole page, or for htmx the part that changes."""
    enrollment = get_grader_staff(request.user, offering)
    template = "grading/health_body.html" if request.htmx else "grading/health.html"
    return render_page(request, template, health_page(enrollment), enrollment=enrollment)


@signed_in
@require_POST
def worker_drain(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Let a worker finish what it runs and claim nothing more."""
    enrollment, worker = get_worker_for(request.user, offering, pk)
    drains.drain(worker=worker, by=request.user, offering=enrollment.offering)
    messages.success(request, f"Drained: {worker}. It finishes what it runs and takes nothing more.")
    return redirect("grader-health", offering)


@signed_in
@require_POST
def worker_resume(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Let a worker claim jobs again."""
    enrollment, worker = get_worker_for(request.user, offering, pk)
    drains.resume(worker=worker, by=request.user, offering=enrollment.offering)
    _say_resumed(request, worker)
    return redirect("grader-health", offering)


@signed_in
@require_POST
def grader_drain(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """The same for all workers, those that start later too."""
    enrollment = get_grader_staff(request.user, offering)
    drains.drain(worker=None, by=request.user, offering=enrollment.offering)
    messages.success(request, "All workers are drained: they finish what they run. Submissions are accepted and wait.")
    return redirect("grader-health", offering)


@signed_in
@require_POST
def grader_resume(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """End the drain of all workers."""
    enrollment = get_grader_staff(request.user, offering)
    drains.resume(worker=None, by=request.user, offering=enrollment.offering)
    messages.success(
        request, "Workers take jobs again, but for those that are drained by themselves or out of service."
    )
    return redirect("grader-health", offering)


@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Metrics for Prometheus, for whoever brings the token."""
    if not metrics.is_allowed(request.headers.get("Authorization", "")):
        raise Http404("There is no such page.")
    body, content_type = metrics.exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def _say_resumed(request: HttpRequest, worker: Worker) -> None:
    if worker.drains.open().exists():
        messages.info(request, f"Resumed: {worker}. Its bad canary keeps it out of service until a good one.")
    else:
        messages.success(request, f"Resumed: {worker}. It takes jobs again.")
