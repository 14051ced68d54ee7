"""Import and export: one page that leads to all of it."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_staff_enrollment
from courses.pages import render_page
from exchange.selectors import exchange_page


@signed_in
@require_safe
def exchange(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """For staff; TAs see what they may do."""
    viewer = get_staff_enrollment(request.user, offering)
    return render_page(request, "exchange/exchange.html", exchange_page(viewer), enrollment=viewer)
