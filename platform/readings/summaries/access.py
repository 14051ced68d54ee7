"""Who may open a reading: staff always, students while it is on the list and from its opening on. Only students write."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.models import Kind
from config import clock
from courses.access import get_enrollment
from courses.models import Enrollment
from readings.models import Reading
from submissions.access import SubmissionAccess, get_submission_for
from submissions.models import DraftVersion


def get_reading_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Reading]:
    """A reading of the offering, archived ones too; raises `Http404` for strangers.

    Students find it once it is open, while it is on the list and not hidden.
    """
    enrollment = get_enrollment(user, offering_slug)
    readings = Reading.objects.of(enrollment.offering) if enrollment.is_staff else Reading.objects.seen_by(enrollment)
    reading = readings.select_related("assignment__offering").filter(assignment__slug=slug).first()
    if reading is None or not (enrollment.is_staff or reading.assignment.is_open(clock.now())):
        raise Http404("There is no such reading, or it is not open yet.")
    return enrollment, reading


def get_own_reading_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Reading]:
    """The same, for the students who write about it."""
    enrollment, reading = get_reading_for(user, offering_slug, slug)
    if not enrollment.is_student:
        raise Http404("Only students write summaries.")
    return enrollment, reading


def get_version_for(user: User, offering_slug: str, slug: str, pk: int) -> DraftVersion:
    """A version of the person's own draft."""
    enrollment, reading = get_own_reading_for(user, offering_slug, slug)
    versions = DraftVersion.objects.select_related("draft__assignment", "draft__enrollment")
    version = versions.filter(pk=pk, draft__enrollment=enrollment, draft__assignment=reading.assignment).first()
    if version is None:
        raise Http404("Your draft has no such version.")
    return version


def get_summary_for(user: User, pk: int) -> SubmissionAccess:
    """A summary that was handed in, for its student and for staff."""
    access = get_submission_for(user, pk)
    if access.submission.assignment.kind != Kind.READING:
        raise Http404("This is no summary of a reading.")
    return access


def get_summary_pair_for(user: User, pk: int, other: int) -> tuple[SubmissionAccess, SubmissionAccess]:
    """Two attempts of one student at one reading; raises `Http404` for any other pair."""
    first, second = get_summary_for(user, pk), get_summary_for(user, other)
    same = (
        first.submission.enrollment_id == second.submission.enrollment_id
        and first.submission.assignment_id == second.submission.assignment_id
    )
    if not same or pk == other:
        raise Http404("These are not two attempts of one student at one reading.")
    return first, second
