"""The whole list: its order, its dates, BibTeX, and the copy for another offering."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment, get_instructor_enrollment
from courses.models import Enrollment, Offering
from courses.pages import render_page
from readings.keeping import arranging
from readings.keeping.access import offerings_to_copy_to
from readings.keeping.bibtex import write_bibtex
from readings.keeping.dates import DatesTouchWork
from readings.keeping.entry import Question, answers, question_of
from readings.keeping.facts import facts_of
from readings.keeping.forms import BibTeXForm, TargetForm, WeeksForm
from readings.keeping.selectors import CopyPage, DatesPage, ImportPage, copy_page, dates_page, import_page
from readings.keeping.services import ListRefused
from readings.models import Reading


@dataclass(frozen=True)
class OrderPage:
    """A new order that would change dates under summaries."""

    question: Question
    order: tuple[str, ...]


@signed_in
@require_POST
def order(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Save an order. Fields: `order`, every slug in its place; `move`, one slug with `:up` or `:down`; `dates`, places or papers."""
    enrollment = get_instructor_enrollment(request.user, offering)
    wanted = _wanted(request.POST)
    stay, confirmed = request.POST.get("dates") != "papers", answers(request.POST)["confirmed"]
    try:
        changed = arranging.reorder(
            offering=enrollment.offering, order=wanted, dates_stay=stay, by=request.user, confirmed=confirmed
        )
        messages.success(request, "The order is saved." if changed else "The list was in this order already.")
    except ListRefused as refusal:
        messages.error(request, str(refusal))
    except DatesTouchWork as asked:
        page = OrderPage(question_of(asked, request.POST), tuple(wanted))
        return render_page(request, "readings/order.html", page, enrollment=enrollment, status=422)
    return redirect("readings", offering)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def dates(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Weekly due dates, shown before they are set by `act=set`."""
    enrollment = get_instructor_enrollment(request.user, offering)
    form = WeeksForm(request.POST or None)
    page, confirmed = dates_page(enrollment.offering, form), answers(request.POST)["confirmed"]
    if not (confirmed or request.POST.get("act") == "set") or not page.was_seen(request.POST):
        return _dates_page(request, enrollment, page)
    try:
        changed = arranging.set_weekly(
            offering=enrollment.offering, days=page.days, by=request.user, confirmed=confirmed
        )
    except ListRefused as refusal:
        return _dates_page(request, enrollment, dates_page(enrollment.offering, form, failure=str(refusal)))
    except DatesTouchWork as asked:
        question = question_of(asked, request.POST)
        return _dates_page(request, enrollment, dates_page(enrollment.offering, form, question=question))
    messages.success(request, _told(changed))
    return redirect("readings", offering)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def import_(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Papers from BibTeX, shown before they are added by `act=add`. Fields: `text` or `file`, `pick` (indices), `of`, `hidden`."""
    enrollment = get_instructor_enrollment(request.user, offering)
    form = BibTeXForm(request.POST or None, request.FILES or None)
    page = import_page(enrollment.offering, form)
    # ticks belong to the text that they were set on
    if request.POST.get("act") == "add" and page.of and request.POST.get("of") == page.of:
        page = import_page(enrollment.offering, form, request.POST.getlist("pick"))
        if page.picked:
            return _imported(request, enrollment.offering, page)
    status = 422 if page.failure else 200
    return render_page(request, "readings/import.html", page, enrollment=enrollment, status=status)


@signed_in
@require_safe
def export(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The list as the viewer sees it, as a .bib file."""
    enrollment = get_enrollment(request.user, offering)
    papers = (facts_of(reading.paper) for reading in Reading.objects.seen_by(enrollment))
    response = HttpResponse(write_bibtex(papers), content_type="application/x-bibtex; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{offering}-readings.bib"'
    return response


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def copy(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The list for another offering, shown before it is copied by `act=copy`."""
    enrollment = get_instructor_enrollment(request.user, offering)
    targets = TargetForm(request.POST or None, offerings_to_copy_to(enrollment))
    target = targets.offering
    # dates belong to the offering that they were shown for
    seen = target is not None and request.POST.get("seen") == target.slug
    form = WeeksForm(request.POST if seen else None)
    page = copy_page(enrollment.offering, targets, form)
    if request.POST.get("act") != "copy" or target is None or not page.was_seen(request.POST):
        return _copy_page(request, enrollment, page)
    try:
        copied = arranging.copy_list(source=enrollment.offering, target=target, days=page.days, by=request.user)
    except ListRefused as refusal:
        return _copy_page(request, enrollment, copy_page(enrollment.offering, targets, form, failure=str(refusal)))
    messages.success(request, _copied(len(copied)))
    return redirect("readings", target.slug)


def _wanted(posted: QueryDict) -> list[str]:
    """The order that was posted, with one paper moved by a place."""
    wanted = posted.getlist("order")
    slug, _, way = posted.get("move", "").partition(":")
    if slug in wanted and way in {"up", "down"}:
        place = wanted.index(slug)
        wanted.insert(max(place + (1 if way == "down" else -1), 0), wanted.pop(place))
    return wanted


def _imported(request: AuthenticatedHttpRequest, offering: Offering, page: ImportPage) -> HttpResponse:
    hidden = page.form.cleaned_data["hidden"]
    added = arranging.add_papers(offering=offering, papers=page.picked, by=request.user, hidden=hidden)
    papers = "1 paper is" if len(added) == 1 else f"{len(added)} papers are"
    messages.success(request, f"{papers} on the list, due weekly after the last one. Look over the dates.")
    return redirect("readings", offering.slug)


def _dates_page(request: AuthenticatedHttpRequest, enrollment: Enrollment, page: DatesPage) -> HttpResponse:
    status = 422 if page.failure or page.question or page.form.errors else 200
    return render_page(request, "readings/dates.html", page, enrollment=enrollment, status=status)


def _copy_page(request: AuthenticatedHttpRequest, enrollment: Enrollment, page: CopyPage) -> HttpResponse:
    status = 422 if page.failure or page.form.errors or page.targets.errors else 200
    return render_page(request, "readings/copy.html", page, enrollment=enrollment, status=status)


def _told(changed: int) -> str:
    if not changed:
        return "The readings had these dates already."
    return "1 due date is set." if changed == 1 else f"{changed} due dates are set."


def _copied(count: int) -> str:
    if not count:
        return "Every paper is on this list already, so nothing was added."
    return "1 paper is copied to this list." if count == 1 else f"{count} papers are copied to this list."
