"""Who may see and do what about talks. The class sees the order and rates; staff keep the hour; instructors decide what scores are."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from courses.access import get_enrollment, get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from projects.presentations.models import Rating, Talk


def get_talk(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Talk]:
    """A talk, for everyone of the class; raises `Http404` for strangers."""
    viewer = get_enrollment(user, offering_slug)
    return viewer, _talk(viewer, pk)


def get_staff_talk(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Talk]:
    """The same, for staff alone."""
    viewer = get_staff_enrollment(user, offering_slug)
    return viewer, _talk(viewer, pk)


def get_talk_to_decide(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Talk]:
    """The same, for instructors alone."""
    viewer = get_instructor_enrollment(user, offering_slug)
    return viewer, _talk(viewer, pk)


def get_feedback_talk(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Talk]:
    """A talk whose score and comments the person may read: staff always, its speakers once they are released or taken back."""
    viewer, talk = get_talk(user, offering_slug, pk)
    if viewer.is_staff:
        return viewer, talk
    told = talk.released_at is not None or talk.taken_back_at is not None
    if not told or not talk.speakers.filter(enrollment=viewer).exists():
        raise Http404("There is nothing to read about this talk.")
    return viewer, talk


def get_comment(user: User, offering_slug: str, pk: int) -> tuple[Enrollment, Rating]:
    """A rating with a comment, for the staff who decide what becomes of it."""
    viewer = get_staff_enrollment(user, offering_slug)
    ratings = Rating.objects.select_related("talk").exclude(comment="")
    rating = ratings.filter(talk__offering=viewer.offering, pk=pk).first()
    if rating is None:
        raise Http404("There is no such comment.")
    return viewer, rating


def _talk(viewer: Enrollment, pk: int) -> Talk:
    talk = Talk.objects.of(viewer.offering).filter(pk=pk).first()
    if talk is None:
        raise Http404("There is no such talk.")
    talk.offering = viewer.offering
    return talk
