"""The reading list."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment
from courses.pages import render_page
from readings.selectors import readings_page


@signed_in
@require_safe
def readings(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All papers with their due dates."""
    enrollment = get_enrollment(request.user, offering)
    return render_page(request, "readings/readings.html", readings_page(enrollment), enrollment=enrollment)
