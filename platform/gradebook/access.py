"""Who may see whose grade: staff everyone's in their offering, a student their own. What is not there is 404."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404

from accounts.models import User
from assignments.models import Assignment
from courses.access import get_enrollment, get_staff_enrollment
from courses.models import Enrollment, Offering
from gradebook.decisions.services import Target
from gradebook.models import Component, Decision
from gradebook.sources.works import WITH_ASSIGNMENTS, works_of


@dataclass(frozen=True)
class GradeAccess:
    """A student's grade, and the enrollment by which the viewer sees it."""

    viewer: Enrollment
    student: Enrollment

    @property
    def as_staff(self) -> bool:
        """Whether unreleased scores are seen, and decisions are made."""
        return self.viewer.is_staff


def get_student_grade(user: User, offering_slug: str, pk: int) -> GradeAccess:
    """The grade of an active student, for staff of the offering; raises `Http404` for everyone else."""
    viewer = get_staff_enrollment(user, offering_slug)
    student = Enrollment.objects.students().filter(pk=pk, offering=viewer.offering).select_related("user").first()
    if student is None:
        raise Http404("There is no such student in this offering.")
    student.offering = viewer.offering
    return GradeAccess(viewer, student)


def get_own_grade(user: User, offering_slug: str) -> GradeAccess:
    """The viewer's own grade; raises `Http404` for staff, who have none."""
    viewer = get_enrollment(user, offering_slug)
    if not viewer.is_student:
        raise Http404("Staff are not graded.")
    return GradeAccess(viewer, viewer)


def get_part(offering: Offering, key: str) -> Target:
    """What a part is about, by its key: its assignment, or the component that is one part by itself."""
    works: dict[str, Assignment] = {work.part.key: work.assignment for work in works_of(offering)}
    alone = None if key in WITH_ASSIGNMENTS else Component.objects.filter(offering=offering, kind=key).first()
    found = works.get(key) or alone
    if found is None:
        raise Http404("The grade has no such part.")
    return found


def get_decision(access: GradeAccess, pk: int) -> Decision:
    """A decision about this student, for staff."""
    about = Decision.objects.filter(pk=pk, enrollment=access.student)
    found = about.select_related("enrollment", "assignment", "component").first()
    if found is None or not access.as_staff:
        raise Http404("There is no such decision.")
    return found
