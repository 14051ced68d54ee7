"""A person's own due dates."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment
from courses.pages import render_page
from web.selectors.dates import dates_page


@signed_in
@require_safe
def dates(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """When everything is due for the viewer, and why."""
    enrollment = get_enrollment(request.user, offering)
    return render_page(request, "web/dates.html", dates_page(enrollment), enrollment=enrollment)
