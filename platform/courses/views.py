"""The class list."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_staff_enrollment
from courses.lists import sought
from courses.pages import render_page
from courses.selectors import people_page


@signed_in
@require_safe
def people(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Everyone in the offering, for staff; `?q=` finds people, `?page=` goes on."""
    enrollment = get_staff_enrollment(request.user, offering)
    q, number = sought(request)
    page = people_page(enrollment, q=q, number=number)
    return render_page(request, "courses/people.html", page, enrollment=enrollment)
