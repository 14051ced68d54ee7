"""How the class did, for staff."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_staff_enrollment
from courses.pages import render_page
from gradebook.statistics.selectors import statistics_page


@signed_in
@require_safe
def statistics(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Distributions of every number, and the letters by both columns."""
    viewer = get_staff_enrollment(request.user, offering)
    return render_page(request, "gradebook/statistics.html", statistics_page(viewer), enrollment=viewer)
