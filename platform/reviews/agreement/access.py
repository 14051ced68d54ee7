"""Who may see readings and calibrate: instructors see all of their offering, a TA what they read themselves. Students see nothing."""

from __future__ import annotations

from django.db.models import Prefetch
from django.http import Http404

from accounts.models import User
from config import clock
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from reviews.agreement.models import CalibrationText, DoubleMark, DoubleReading


def get_double_reading_for(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, DoubleReading]:
    """Both readings of a submission, for instructors and for the two who read it; raises `Http404` for everyone else."""
    enrollment = get_staff_enrollment(user, offering_slug)
    found = (
        DoubleReading.objects.filter(submission__assignment__offering=enrollment.offering, pk=pk)
        .select_related("submission__assignment", "first_grader", "second_grader", "settled_by")
        .prefetch_related(Prefetch("marks", DoubleMark.objects.select_related("item")))
        .first()
    )
    if found is None or not may_see(enrollment, found):
        raise Http404("There is no such pair of readings.")
    return enrollment, found


def may_see(enrollment: Enrollment, reading: DoubleReading) -> bool:
    """Whether staff may see both readings: instructors always, the two readers once neither is corrected any more."""
    readers = {reading.first_grader_id, reading.second_grader_id}
    return enrollment.is_instructor or (enrollment.user_id in readers and reading.is_fixed(clock.now()))


def get_double_reading_to_settle(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, DoubleReading]:
    """The same, for instructors alone."""
    get_instructor_enrollment(user, offering_slug)
    return get_double_reading_for(user, offering_slug, pk)


def get_calibration_for(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, CalibrationText]:
    """A calibration text, for staff of its offering."""
    enrollment = get_staff_enrollment(user, offering_slug)
    found = (
        CalibrationText.objects.filter(submission__assignment__offering=enrollment.offering, pk=pk)
        .select_related("submission__assignment__rubric", "chosen_by")
        .first()
    )
    if found is None:
        raise Http404("There is no such calibration text.")
    return enrollment, found


def get_calibration_to_remove(user: User, offering_slug: str, pk: int) -> CalibrationText:
    """The same, for instructors alone."""
    get_instructor_enrollment(user, offering_slug)
    return get_calibration_for(user, offering_slug, pk)[1]
