"""Grades for a student, scores for staff."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment, get_staff_enrollment
from courses.pages import render_page
from gradebook.selectors import grades_page, scores_page


@signed_in
@require_safe
def grades(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """How the grade is made, and the viewer's own lab scores."""
    enrollment = get_enrollment(request.user, offering)
    return render_page(request, "gradebook/grades.html", grades_page(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def scores(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The grid of students and labs, for staff."""
    enrollment = get_staff_enrollment(request.user, offering)
    return render_page(request, "gradebook/scores.html", scores_page(enrollment), enrollment=enrollment)
