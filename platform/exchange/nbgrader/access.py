"""Whose imports are whose."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from accounts.models import User
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from exchange.models import PointsImport


def get_import_for(user: User, slug: str, pk: int) -> tuple[Enrollment, PointsImport]:
    """An import of this offering, for its instructors; raises `Http404` for everyone else."""
    enrollment = get_instructor_enrollment(user, slug)
    return enrollment, get_object_or_404(PointsImport, pk=pk, offering=enrollment.offering)
