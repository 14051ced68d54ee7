"""Grades for a student, scores for staff."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment, get_staff_enrollment
from courses.lists import sought
from courses.pages import render_page
from gradebook.grid import scores_page
from gradebook.selectors import grades_page


@signed_in
@require_safe
def grades(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """How the grade is made, and the viewer's own scores."""
    enrollment = get_enrollment(request.user, offering)
    return render_page(request, "gradebook/grades.html", grades_page(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def scores(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The grid of students, labs and readings, for staff; `?q=` finds students, `?page=` goes on."""
    enrollment = get_staff_enrollment(request.user, offering)
    q, number = sought(request)
    page = scores_page(enrollment, q=q, number=number)
    return render_page(request, "gradebook/scores.html", page, enrollment=enrollment)
