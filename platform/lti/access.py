"""Who may link a course of a platform, and who may work with one: instructors. What is not theirs is 404."""

from __future__ import annotations

from django.http import Http404

from accounts.http import AuthenticatedHttpRequest
from accounts.models import User
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from lti.models import Context

LAUNCHED = "lti_contexts"
MOST = 20


def remember_launch(request: AuthenticatedHttpRequest, context: Context) -> None:
    """This session came from the course as its instructor, and may say which offering it is."""
    known = [pk for pk in request.session.get(LAUNCHED, []) if pk != context.pk]
    request.session[LAUNCHED] = [*known, context.pk][-MOST:]


def get_launched_context(request: AuthenticatedHttpRequest, pk: int) -> Context:
    """A course without an offering, for whoever came from it as its instructor; raises `Http404` for everyone else."""
    found = Context.objects.select_related("deployment__platform").filter(pk=pk, offering=None).first()
    if found is None or pk not in request.session.get(LAUNCHED, []):
        raise Http404("There is no course to link, or you did not come from it as its instructor.")
    return found


def get_offering_context(user: User, offering: str, pk: int) -> tuple[Enrollment, Context]:
    """A course that is linked to the offering, for its instructors."""
    viewer = get_instructor_enrollment(user, offering)
    linked = Context.objects.select_related("deployment__platform", "offering__course")
    found = linked.filter(pk=pk, offering=viewer.offering).first()
    if found is None:
        raise Http404("No such course is linked to this offering.")
    return viewer, found
