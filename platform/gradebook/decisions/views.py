"""Deciding about a part of a student's grade, for staff."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.pages import render_page
from gradebook.access import get_decision, get_part, get_student_grade
from gradebook.decisions import services
from gradebook.decisions.forms import DecisionForm
from gradebook.derivation.pages import part_page
from gradebook.sources.decisions import part_key


@signed_in
@require_POST
def decide(request: AuthenticatedHttpRequest, offering: str, pk: int, key: str) -> HttpResponse:
    """Excuse a student from a part, or set its points. A refusal comes back with what was typed."""
    access = get_student_grade(request.user, offering, pk)
    part, form = get_part(access.viewer.offering, key), DecisionForm(request.POST)
    if not form.is_valid():
        page = part_page(access, key, form=form)
        return render_page(request, "gradebook/part.html", page, enrollment=access.viewer, status=422)
    given, who = form.cleaned_data, access.student
    services.decide(student=who, part=part, points=given["given"], reason=given["reason"], by=request.user)
    messages.success(request, f"Decided. {who.user.name} reads your reason; it stands whatever the source says.")
    return redirect("student-part", offering, pk, key)


@signed_in
@require_POST
def withdraw(request: AuthenticatedHttpRequest, offering: str, pk: int, decision: int) -> HttpResponseRedirect:
    """Let a decision count no more."""
    access = get_student_grade(request.user, offering, pk)
    found = get_decision(access, decision)
    if services.withdraw(decision=found, by=request.user):
        messages.success(request, "Withdrawn. The part counts by its source again.")
    else:
        messages.info(request, "That was withdrawn already; nothing changed now.")
    return redirect("student-part", offering, pk, part_key(found))
