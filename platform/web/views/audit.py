"""The audit log: what was done to scores, rubrics, dates, roles and extensions, when, by whom and why."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.spreadsheets import csv_response
from courses.access import get_staff_enrollment
from courses.pages import render_page
from web.selectors.audit import AuditRow, all_rows, audit_page, events_for, filtered

HEADER = ("at", "who", "action", "to what", "student", "from", "to", "why")


@signed_in
@require_safe
def audit(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """A page of the log, for staff."""
    enrollment = get_staff_enrollment(request.user, offering)
    return render_page(request, "audit/audit.html", audit_page(enrollment, request.GET), enrollment=enrollment)


@signed_in
@require_safe
def audit_file(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Everything that the filters find, as CSV."""
    enrollment = get_staff_enrollment(request.user, offering)
    page = audit_page(enrollment, request.GET)
    events = filtered(enrollment, events_for(enrollment), page.form)
    return csv_response(f"{offering}-audit.csv", [HEADER, *(_line(row) for row in all_rows(events))])


def _line(row: AuditRow) -> tuple[object, ...]:
    event, subject = row.event, row.subject
    said = (event.before, event.after, event.reason)
    return (event.at.isoformat(), event.actor_name, event.action, subject.label, subject.student, *said)
