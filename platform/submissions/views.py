"""A submission's receipt and its files."""

from __future__ import annotations

from django.http import FileResponse, HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.pages import render_page
from submissions import storage
from submissions.access import get_file_for, get_pdf_for, get_receipt_for, get_submission_for
from submissions.mail import file_name
from submissions.selectors import receipt_of

# nothing in a PDF loads or runs, and only our own pages show one in a frame
PDF_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; object-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
}


@signed_in
@require_safe
def receipt(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """What was received and when, to print or to quote."""
    access = get_submission_for(request.user, pk)
    page = receipt_of(access.submission)
    return render_page(request, "submissions/receipt.html", page, enrollment=access.viewer)


@signed_in
@require_safe
def receipt_file(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The signed receipt, to keep."""
    signed = get_receipt_for(request.user, pk)
    response = HttpResponse(signed.text, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name(pk)}"'
    return response


@signed_in
@require_safe
def file(request: AuthenticatedHttpRequest, pk: int, file_pk: int) -> FileResponse:
    """One file, byte for byte, always as a download: a browser must never run what a student wrote."""
    found = get_file_for(request.user, pk, file_pk)
    response = FileResponse(
        storage.open_file(found.sha256),
        as_attachment=True,
        filename=found.name,
        content_type="application/octet-stream",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@signed_in
@require_safe
def pdf(request: AuthenticatedHttpRequest, pk: int, file_pk: int) -> FileResponse:
    """One PDF, for the browser's own viewer, in a tab or in a frame of ours; its name tells nothing of its student.

    The viewer runs what a PDF may carry in a place of its own, without our pages and cookies. Whatever the bytes are, the type and
    `nosniff` keep a browser from reading them as a page or a script, and the policy lets nothing in them load or run.
    """
    found = get_pdf_for(request.user, pk, file_pk)
    name, data = f"submission-{pk}-{file_pk}.pdf", storage.open_file(found.sha256)
    return FileResponse(data, filename=name, content_type="application/pdf", headers=PDF_HEADERS)
