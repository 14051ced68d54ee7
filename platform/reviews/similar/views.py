"""Similar texts, for staff alone: the list, the search of a reading, and two texts side by side."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.access import get_staff_enrollment
from courses.pages import render_page
from reviews.similar import services
from reviews.similar.access import get_pair_for_staff, get_searched_assignment
from reviews.similar.forms import DecideForm, QuotableForm
from reviews.similar.models import Status
from reviews.similar.selectors import pair_page, search_page, similar_page


@signed_in
@require_safe
def similar(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All pairs. `?status=` and `?work=` filter."""
    enrollment = get_staff_enrollment(request.user, offering)
    page = similar_page(enrollment, status=request.GET.get("status", ""), work=request.GET.get("work", ""))
    return render_page(request, "similar/similar.html", page, enrollment=enrollment)


@signed_in
@require_safe
def pair(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Two texts side by side."""
    enrollment, found = get_pair_for_staff(request.user, offering, pk)
    return render_page(request, "similar/pair.html", pair_page(enrollment, found), enrollment=enrollment)


@signed_in
@require_POST
def decide(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Keep what staff made of a pair. Fields: `status`, `note`."""
    enrollment, found = get_pair_for_staff(request.user, offering, pk)
    form = DecideForm(request.POST)
    if form.is_valid():
        status, note = Status(form.cleaned_data["status"]), form.cleaned_data["note"]
        services.decide(pair=found, status=status, note=note, by=request.user)
        messages.success(request, "Saved. No score changes by this, and no student sees it.")
        return redirect("similar-pair", offering, pk)
    messages.error(request, sentence(form))
    page = pair_page(enrollment, found, status=request.POST.get("status", ""), note=request.POST.get("note", ""))
    return render_page(request, "similar/pair.html", page, enrollment=enrollment, status=422)


@signed_in
@require_safe
def search(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponse:
    """The search of a reading, and what everybody may quote of its paper."""
    enrollment, assignment = get_searched_assignment(request.user, offering, reading)
    return render_page(request, "similar/search.html", search_page(assignment), enrollment=enrollment)


@signed_in
@require_POST
def search_now(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponseRedirect:
    """Ask for a search."""
    _, assignment = get_searched_assignment(request.user, offering, reading)
    services.ask_for_search(assignment=assignment, by=request.user)
    messages.success(request, "Asked for. The search runs in the background and ends within a minute or two.")
    return redirect("similar-search", offering, reading)


@signed_in
@require_POST
def quotable(request: AuthenticatedHttpRequest, offering: str, reading: str) -> HttpResponse:
    """Set what everybody may quote. Field: `text`."""
    enrollment, assignment = get_searched_assignment(request.user, offering, reading)
    form = QuotableForm(request.POST)
    if form.is_valid():
        services.set_quotable(assignment=assignment, text=form.cleaned_data["text"], by=request.user)
        messages.success(request, "Saved. The next search leaves these passages out; it runs within a minute or two.")
        return redirect("similar-search", offering, reading)
    messages.error(request, sentence(form))
    page = search_page(assignment, request.POST.get("text", ""))
    return render_page(request, "similar/search.html", page, enrollment=enrollment, status=422)
