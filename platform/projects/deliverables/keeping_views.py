"""The list of deliverables, for the instructors who keep it: add, edit, remove."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from projects.deliverables import keeping
from projects.deliverables.access import get_deliverable_to_keep
from projects.deliverables.forms import DeliverableForm
from projects.deliverables.keeping import DatesTouchWork, Description, KeepingRefused
from projects.deliverables.models import Deliverable
from projects.deliverables.states import DeliverableState, deliverables_of


@dataclass(frozen=True)
class ListPage:
    """All deliverables of the offering."""

    rows: tuple[DeliverableState, ...]
    can_edit: bool


@dataclass(frozen=True)
class EntryPage:
    """One deliverable as a form; None is a new one. `question` is asked before it is saved."""

    form: DeliverableForm
    deliverable: Deliverable | None = None
    submissions: int = 0
    question: str = ""


@signed_in
@require_safe
def deliverables(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """What the project of this offering asks for, for staff."""
    enrollment = get_staff_enrollment(request.user, offering)
    page = ListPage(deliverables_of(enrollment), enrollment.is_instructor)
    return render_page(request, "deliverables/deliverables.html", page, enrollment=enrollment)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """A new deliverable."""
    enrollment = get_instructor_enrollment(request.user, offering)
    form = DeliverableForm(enrollment.offering, request.POST or None, about=keeping.usual(enrollment.offering))
    if form.is_valid():
        made = keeping.add_deliverable(offering=enrollment.offering, description=form.description, by=request.user)
        messages.success(request, f"{made.assignment.label} is on the list. Look over its rubric next.")
        return redirect("deliverable", offering, made.assignment.slug)
    return _form_page(request, enrollment, EntryPage(form))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """Another description or other dates. `confirmed` says yes to the question about dates under work that was handed in."""
    enrollment, found = get_deliverable_to_keep(request.user, offering, slug)
    submissions = found.assignment.submissions.count()
    about = Description.of(found)
    form = DeliverableForm(enrollment.offering, request.POST or None, about=about, keeps_stage=submissions > 0)
    question = ""
    if form.is_valid():
        try:
            return _edited(request, found, form.description)
        except DatesTouchWork as asked:
            question = str(asked)
        except KeepingRefused as refusal:
            form.add_error("stage", str(refusal))
    return _form_page(request, enrollment, EntryPage(form, found, submissions, question))


@signed_in
@require_POST
def remove(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponseRedirect:
    """Take a deliverable away for which nothing was handed in."""
    _, found = get_deliverable_to_keep(request.user, offering, slug)
    try:
        keeping.remove_deliverable(deliverable=found, by=request.user)
        messages.success(request, f"“{found.assignment.title}” is removed.")
    except KeepingRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("deliverables", offering)


def _edited(request: AuthenticatedHttpRequest, deliverable: Deliverable, description: Description) -> HttpResponse:
    confirmed = request.POST.get("confirmed") == "yes"
    changed = keeping.edit_deliverable(
        deliverable=deliverable, description=description, by=request.user, confirmed=confirmed
    )
    told = f"“{description.title}” is saved." if changed else "Nothing was changed, so nothing was saved."
    messages.success(request, told)
    return redirect("deliverable", deliverable.assignment.offering.slug, deliverable.assignment.slug)


def _form_page(request: AuthenticatedHttpRequest, enrollment: Enrollment, page: EntryPage) -> HttpResponse:
    status = 422 if page.form.is_bound else 200
    return render_page(request, "deliverables/form.html", page, enrollment=enrollment, status=status)
