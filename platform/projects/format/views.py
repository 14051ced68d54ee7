"""The format report of a PDF, its line on other pages, and the pictures of its pages."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import condition, require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.pages import render_page
from projects.format.access import get_check_for, get_check_for_staff, get_picture_for
from projects.format.selectors import format_page, summary_of
from projects.format.services import request_again
from submissions import storage

# Only those who may see the submission get one; what a hash names never changes.
PICTURE_HEADERS = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}


@signed_in
@require_safe
def format_report(request: AuthenticatedHttpRequest, pk: int, file_pk: int) -> HttpResponse:
    """What was found, with the pages' pictures. While it is being looked at, the page asks again by itself."""
    access, check = get_check_for(request.user, pk, file_pk)
    page = format_page(check, access.submission, is_staff=access.viewer.is_staff)
    return render_page(request, "format/format.html", page, enrollment=access.viewer)


@signed_in
@require_safe
def format_summary(request: AuthenticatedHttpRequest, pk: int, file_pk: int) -> HttpResponse:
    """The line alone, for pages that show a submission."""
    access, check = get_check_for(request.user, pk, file_pk)
    response = render(request, "format/_summary.html", {"summary": summary_of(check, access.submission)})
    response.headers["Cache-Control"] = "no-store"
    return response


@signed_in
@require_safe
def format_picture(request: AuthenticatedHttpRequest, pk: int, file_pk: int, page: int) -> HttpResponse:
    """A page as a PNG that the grader encoded. A browser asks again by its hash after a day."""
    picture = get_picture_for(request.user, pk, file_pk, page)

    @condition(etag_func=lambda _: f'"{picture.sha256}"')
    def picture_of(_: object) -> HttpResponse:
        return HttpResponse(storage.read(picture.sha256), content_type="image/png")

    response: HttpResponse = picture_of(request)
    for name, value in PICTURE_HEADERS.items():
        response.headers[name] = value
    return response


@signed_in
@require_POST
def format_again(request: AuthenticatedHttpRequest, pk: int, file_pk: int) -> HttpResponseRedirect:
    """Staff have a check tried again that failed by our fault."""
    check = get_check_for_staff(request.user, pk, file_pk)
    if request_again(check=check):
        messages.success(request, "The format will be looked at again.")
    else:
        messages.info(request, "Nothing was changed: only what failed by our fault is tried again.")
    return redirect("format", pk, file_pk)
