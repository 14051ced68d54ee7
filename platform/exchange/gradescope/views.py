"""Reports for Gradescope, for staff."""

from __future__ import annotations

from django.http import FileResponse, Http404, HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from assignments.access import get_staff_assignment_for
from exchange.gradescope.services import results_for, zip_of
from reviews.access import get_staff_lab_submission_for


@signed_in
@require_safe
def results(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """One submission of a lab."""
    found = results_for(get_staff_lab_submission_for(request.user, pk).submission)
    if found is None:
        raise Http404("This submission has no report yet.")
    response = HttpResponse(found.to_json(), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="submission-{pk}-results.json"'
    return response


@signed_in
@require_safe
def lab_results(request: AuthenticatedHttpRequest, offering: str, lab: str) -> FileResponse:
    """The attempts of a lab that count, as a zip."""
    _, assignment = get_staff_assignment_for(request.user, offering, lab)
    name = f"{offering}-{assignment.slug}-gradescope.zip"
    return FileResponse(zip_of(assignment), as_attachment=True, filename=name, content_type="application/zip")
