"""Regrade requests: a student asks and withdraws, staff answer."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.pages import render_page
from reviews.requests import services
from reviews.requests.access import get_own_submission_for, get_request_for, get_request_to_withdraw, item_of
from reviews.requests.forms import AnswerForm, AskForm, WindowForm
from reviews.requests.rules import RequestRefused
from reviews.requests.scores import score_now
from reviews.requests.selectors import answer_page, items_of, queue_page, requests_of
from submissions.access import get_submission_for


@signed_in
@require_safe
def of_score(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """All requests about one score, with the form where one may be asked."""
    access = get_submission_for(request.user, pk)
    return render_page(request, "requests/score.html", requests_of(access), enrollment=access.viewer)


@signed_in
@require_POST
def ask(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Ask for another look. Fields: `item` (empty: the whole) and `reason`. A refusal comes back with the text."""
    access = get_own_submission_for(request.user, pk)
    form = AskForm(request.POST, items=items_of(access.submission))
    if form.is_valid():
        item = item_of(access, form.cleaned_data["item"])
        try:
            reason = form.cleaned_data["reason"]
            services.ask(submission=access.submission, item=item, reason=reason, by=access.viewer)
            messages.success(request, "Your request is with the course's staff. You get a mail when it is answered.")
            return redirect("regrade-request", pk)
        except RequestRefused as refusal:
            form.add_error(None, str(refusal))
    page = requests_of(access, form=form)
    return render_page(request, "requests/score.html", page, enrollment=access.viewer, status=422)


@signed_in
@require_POST
def withdraw(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseRedirect:
    """Take a request back."""
    found = get_request_to_withdraw(request.user, pk)
    if services.withdraw(request=found, by=request.user):
        messages.success(request, "Your request is withdrawn. You may ask again while the window is open.")
    else:
        messages.info(request, "That request is not open any more; nothing changed.")
    return redirect("regrade-request", found.submission_id)


@signed_in
@require_safe
def queue(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The staff's queue. Filters: `state`, `kind`, `mine` (those that others graded), `page`."""
    viewer = get_staff_enrollment(request.user, offering)
    asked = request.GET
    page = queue_page(
        viewer,
        state=asked.get("state", ""),
        kind=asked.get("kind", ""),
        mine=asked.get("mine") == "1",
        number=asked.get("page", "1"),
    )
    return render_page(request, "requests/queue.html", page, enrollment=viewer)


@signed_in
@require_safe
def one(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One request with the work and the score, to answer it."""
    viewer, found = get_request_for(request.user, offering, pk)
    return render_page(request, "requests/answer.html", answer_page(viewer, found), enrollment=viewer)


@signed_in
@require_POST
def answer(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Keep the score or change it. Fields: `answer`, `decision`, `revision`, and `score-<item>`. A refusal keeps the text."""
    viewer, found = get_request_for(request.user, offering, pk)
    form, site = AnswerForm(request.POST, score=score_now(found.submission)), request.build_absolute_uri("/")
    if form.is_valid():
        try:
            services.answer(request=found, viewer=viewer, given=form.given(), site=site)
            messages.success(request, f"Answered. {found.asked_by.user.name} sees it now, and gets a mail.")
            return redirect("regrade-requests", offering)
        except RequestRefused as refusal:
            form.add_error(None, str(refusal))
    page = answer_page(viewer, found, form=form)
    return render_page(request, "requests/answer.html", page, enrollment=viewer, status=422)


@signed_in
@require_POST
def window(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Set how long students may ask after a release. Field: `days`."""
    viewer = get_instructor_enrollment(request.user, offering)
    form = WindowForm(request.POST)
    if not form.is_valid():
        return render_page(
            request, "requests/queue.html", queue_page(viewer, window=form), enrollment=viewer, status=422
        )
    services.set_window(offering=viewer.offering, days=form.cleaned_data["days"], by=request.user)
    messages.success(request, "The window is set. It holds for scores that are released already, too.")
    return redirect("regrade-requests", offering)
