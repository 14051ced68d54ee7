"""Grades for a student, scores and everyone's grades for staff."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment, get_staff_enrollment
from courses.lists import LONGEST, sought
from courses.pages import render_page
from gradebook.access import GradeAccess, get_own_grade, get_student_grade
from gradebook.derivation.pages import derivation_page, part_page
from gradebook.grid import scores_page
from gradebook.scheme import scheme_page
from gradebook.what_if import what_if_page


@signed_in
@require_safe
def scores(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The grid of students and parts, for staff; `?q=` finds students, `?sort=` sorts by a column, `?page=` goes on."""
    enrollment = get_staff_enrollment(request.user, offering)
    q, number = sought(request)
    page = scores_page(enrollment, q=q, number=number, sort=request.GET.get("sort", "")[:LONGEST])
    return render_page(request, "gradebook/scores.html", page, enrollment=enrollment)


@signed_in
@require_safe
def grades(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """A student's own grade with its derivation; for staff, who have none, how grades are made here."""
    enrollment = get_enrollment(request.user, offering)
    if enrollment.is_staff:
        return render_page(request, "gradebook/scheme.html", scheme_page(enrollment.offering), enrollment=enrollment)
    return _derivation(request, get_own_grade(request.user, offering))


@signed_in
@require_safe
def student_grade(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One student's grade with its derivation, for staff; `?of=` is so-far or final."""
    return _derivation(request, get_student_grade(request.user, offering, pk))


@signed_in
@require_safe
def own_part(request: AuthenticatedHttpRequest, offering: str, key: str) -> HttpResponse:
    """One part of the viewer's own grade, down to its checks or marks."""
    return _part(request, get_own_grade(request.user, offering), key)


@signed_in
@require_safe
def student_part(request: AuthenticatedHttpRequest, offering: str, pk: int, key: str) -> HttpResponse:
    """The same of one student, for staff."""
    return _part(request, get_student_grade(request.user, offering, pk), key)


@signed_in
@require_safe
def own_what_if(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The viewer's own grade with scores typed for what is not known; the address holds all of it."""
    return _what_if(request, get_own_grade(request.user, offering))


@signed_in
@require_safe
def student_what_if(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The same of one student, for staff, with any part."""
    return _what_if(request, get_student_grade(request.user, offering, pk))


def _derivation(request: AuthenticatedHttpRequest, access: GradeAccess) -> HttpResponse:
    page = derivation_page(access, basis=request.GET.get("of", ""))
    return render_page(request, "gradebook/grade.html", page, enrollment=access.viewer)


def _part(request: AuthenticatedHttpRequest, access: GradeAccess, key: str) -> HttpResponse:
    """Within the page of the grade for htmx, else on a page of its own."""
    template = "gradebook/part_body.html" if request.htmx else "gradebook/part.html"
    return render_page(request, template, part_page(access, key), enrollment=access.viewer)


def _what_if(request: AuthenticatedHttpRequest, access: GradeAccess) -> HttpResponse:
    page = what_if_page(access, request.GET.dict())
    return render_page(request, "gradebook/what_if.html", page, enrollment=access.viewer)
