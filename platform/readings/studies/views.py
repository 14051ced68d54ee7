"""Published tables, computed again."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment
from courses.pages import render_page
from readings.studies.selectors import study_page, study_rows


@signed_in
@require_safe
def studies(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All papers whose tables can be computed again."""
    enrollment = get_enrollment(request.user, offering)
    return render_page(request, "papers/studies.html", study_rows(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def study(request: AuthenticatedHttpRequest, offering: str, study: str) -> HttpResponse:
    """One of them; its knobs are query parameters."""
    enrollment = get_enrollment(request.user, offering)
    page = study_page(enrollment, study, request.GET.dict())
    return render_page(request, "papers/study.html", page, enrollment=enrollment, status=422 if page.wrong else 200)
