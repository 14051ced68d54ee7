"""Topics, and the library that they lead to."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_enrollment
from courses.pages import render_page
from web.syllabus.access import get_library_page_for, get_source_for, get_topic_for
from web.syllabus.selectors import library_index, source_page, text_page, topic_page


@signed_in
@require_safe
def topic(request: AuthenticatedHttpRequest, offering: str, topic: str) -> HttpResponse:
    """A topic of the schedule with all that belongs to it."""
    enrollment, found = get_topic_for(request.user, offering, topic)
    return render_page(request, "syllabus/topic.html", topic_page(enrollment, found), enrollment=enrollment)


@signed_in
@require_safe
def library(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The library by topic, and its packages."""
    enrollment = get_enrollment(request.user, offering)
    return render_page(request, "syllabus/library.html", library_index(enrollment), enrollment=enrollment)


@signed_in
@require_safe
def library_page(request: AuthenticatedHttpRequest, offering: str, page: str) -> HttpResponse:
    """A page of the library."""
    enrollment, found = get_library_page_for(request.user, offering, page)
    return render_page(request, "syllabus/page.html", text_page(enrollment, found), enrollment=enrollment)


@signed_in
@require_safe
def library_source(request: AuthenticatedHttpRequest, offering: str, path: str) -> HttpResponse:
    """A module, or a package by its modules."""
    enrollment, found = get_source_for(request.user, offering, path)
    return render_page(request, "syllabus/source.html", source_page(enrollment, found), enrollment=enrollment)
