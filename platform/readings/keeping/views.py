"""One paper at a time: add, edit, hide, show, remove, restore."""

from __future__ import annotations

from dataclasses import asdict, replace

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from readings.keeping import lookup, services
from readings.keeping.access import get_reading_to_keep, get_reading_to_restore
from readings.keeping.arranging import dates_on, next_days
from readings.keeping.dates import Dates, DatesTouchWork, summaries_by_assignment
from readings.keeping.duplicates import DuplicateFound
from readings.keeping.entry import PaperEntry, answers, question_of
from readings.keeping.facts import facts_of
from readings.keeping.forms import PaperForm
from readings.keeping.lookup import LookupFailed
from readings.models import Reading
from readings.selectors import readings_page

FOUND = "Found. Please look over the data, then add the paper."


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Add a paper by hand. `act=look-up` fills in what the field `find` names, and adds nothing."""
    enrollment = get_instructor_enrollment(request.user, offering)
    dates = dates_on(enrollment.offering, next_days(enrollment.offering, 1)[0])
    if request.POST.get("act") == "look-up":
        return _looked_up(request, enrollment, dates)
    form = PaperForm(enrollment.offering, request.POST or None, dates=dates)
    entry = PaperEntry(form)
    if form.is_valid():
        try:
            return _added(request, enrollment, form)
        except DuplicateFound as found:
            entry = replace(entry, question=question_of(found, request.POST))
    return _add_page(request, enrollment, entry, status=422 if form.is_bound else 200)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """The list with one row open as a form."""
    enrollment, reading = get_reading_to_keep(request.user, offering, slug)
    facts, dates = facts_of(reading.paper), Dates.of(reading.assignment)
    form = PaperForm(enrollment.offering, request.POST or None, facts=facts, dates=dates)
    entry = _entry(form, reading)
    if form.is_valid():
        try:
            return _edited(request, reading, form)
        except (DuplicateFound, DatesTouchWork) as asked:
            entry = replace(entry, question=question_of(asked, request.POST))
    page, status = readings_page(enrollment, entry), 422 if form.is_bound else 200
    return render_page(request, "readings/readings.html", page, enrollment=enrollment, status=status)


@signed_in
@require_POST
def visibility(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponseRedirect:
    """Hide a reading from students, or show it. Field: `hidden`, yes or no."""
    _, reading = get_reading_to_keep(request.user, offering, slug)
    hidden = request.POST.get("hidden") == "yes"
    services.set_hidden(reading=reading, hidden=hidden, by=request.user)
    told = "hidden from students" if hidden else "shown to students"
    messages.success(request, f"“{reading.paper.title}” is {told}.")
    return redirect("readings", offering)


@signed_in
@require_POST
def remove(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponseRedirect:
    """Take a reading off the list."""
    _, reading = get_reading_to_keep(request.user, offering, slug)
    title = reading.paper.title
    if services.remove_reading(reading=reading, by=request.user):
        messages.success(
            request, f"“{title}” is in the archive, with all that students wrote. You can restore it below the list."
        )
    else:
        messages.success(request, f"“{title}” is removed. The other papers keep their dates.")
    return redirect("readings", offering)


@signed_in
@require_POST
def restore(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponseRedirect:
    """Put an archived reading back."""
    _, reading = get_reading_to_restore(request.user, offering, slug)
    if services.restore_reading(reading=reading, by=request.user):
        text = f"“{reading.paper.title}” is back at the end of the list. Students see it once you show it; look at its date first."
        messages.success(request, text)
    return redirect("readings", offering)


def _added(request: AuthenticatedHttpRequest, enrollment: Enrollment, form: PaperForm) -> HttpResponse:
    anyway = answers(request.POST)["anyway"]
    reading = services.add_reading(
        offering=enrollment.offering, facts=form.facts, dates=form.dates, by=request.user, anyway=anyway
    )
    messages.success(request, f"“{reading.paper.title}” is on the list, as number {reading.assignment.number}.")
    return redirect("readings", enrollment.offering.slug)


def _edited(request: AuthenticatedHttpRequest, reading: Reading, form: PaperForm) -> HttpResponse:
    services.edit_reading(reading=reading, facts=form.facts, dates=form.dates, by=request.user, **answers(request.POST))
    messages.success(request, f"“{form.facts.title}” is saved.")
    return redirect("readings", reading.assignment.offering.slug)


def _looked_up(request: AuthenticatedHttpRequest, enrollment: Enrollment, dates: Dates) -> HttpResponse:
    typed = request.POST.dict()
    try:
        found = asdict(lookup.look_up(typed.get("find", "")))
    except LookupFailed as failure:
        form = PaperForm(enrollment.offering, dates=dates, typed=typed)
        return _add_page(request, enrollment, PaperEntry(form, failure=str(failure), find=typed.get("find", "")))
    typed |= {name: value for name, value in found.items() if value}
    form = PaperForm(enrollment.offering, dates=dates, typed=typed)
    return _add_page(request, enrollment, PaperEntry(form, notice=FOUND, find=typed.get("find", "")))


def _add_page(
    request: AuthenticatedHttpRequest, enrollment: Enrollment, entry: PaperEntry, *, status: int = 200
) -> HttpResponse:
    page = replace(entry, can_look_up=lookup.is_on())
    return render_page(request, "readings/add.html", page, enrollment=enrollment, status=status)


def _entry(form: PaperForm, reading: Reading) -> PaperEntry:
    summaries = summaries_by_assignment([reading.assignment_id]).get(reading.assignment_id, 0)
    return PaperEntry(form, slug=reading.assignment.slug, summaries=summaries)
