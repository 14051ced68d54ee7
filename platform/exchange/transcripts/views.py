"""Transcripts of the course: a page made for printing."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.access import get_staff_enrollment
from courses.lists import sought
from courses.pages import render_page
from exchange.transcripts.access import get_own_transcript_for, get_student_for
from exchange.transcripts.selectors import students_page, transcript_page

TEMPLATE = "exchange/transcript.html"


@signed_in
@require_safe
def transcripts(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Whose there are, for staff; `?q=` finds students, `?page=` goes on."""
    viewer = get_staff_enrollment(request.user, offering)
    q, number = sought(request)
    page = students_page(viewer, q=q, number=number)
    return render_page(request, "exchange/transcripts.html", page, enrollment=viewer)


@signed_in
@require_safe
def transcript(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """A student's, for staff."""
    viewer, student = get_student_for(request.user, offering, pk)
    return render_page(request, TEMPLATE, transcript_page(student, own=False), enrollment=viewer)


@signed_in
@require_safe
def own_transcript(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """The viewer's own."""
    student = get_own_transcript_for(request.user, offering)
    return render_page(request, TEMPLATE, transcript_page(student, own=True), enrollment=student)
