"""Who may see the boards of a lab: whoever may see the lab. A name is taken off by staff of its offering."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.access import get_assignment_for, get_staff_assignment_for
from assignments.models import Assignment
from courses.models import Enrollment
from reviews.boards.models import BoardMember


def get_boards_for(user: User, offering_slug: str, lab: str) -> tuple[Enrollment, Assignment]:
    """A lab that has boards; raises `Http404` for whoever may not see the lab, and for a lab without."""
    enrollment, assignment = get_assignment_for(user, offering_slug, lab)
    if assignment.lab is None or not assignment.lab.summary.boards:
        raise Http404(f"{assignment.label} has no boards.")
    return enrollment, assignment


def get_board_member_for_staff(user: User, offering_slug: str, lab: str, pk: int) -> tuple[Enrollment, BoardMember]:
    """Somebody on the boards of a lab, for staff of its offering; raises `Http404` for everyone else."""
    enrollment, assignment = get_staff_assignment_for(user, offering_slug, lab)
    member = BoardMember.objects.select_related("assignment").filter(assignment=assignment, pk=pk).first()
    if member is None:
        raise Http404("There is nobody of that number on these boards.")
    return enrollment, member
