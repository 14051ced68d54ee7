"""The class list."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_staff_enrollment
from courses.pages import render_page
from courses.selectors import people_page


@signed_in
@require_safe
def people(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Everyone in the offering, for staff."""
    enrollment = get_staff_enrollment(request.user, offering)
    return render_page(request, "courses/people.html", people_page(enrollment), enrollment=enrollment)
