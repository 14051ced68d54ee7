"""What every page of an offering needs to know about talks: whether there are any, and which one is rated now."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F
from django.urls import reverse

from courses.models import Enrollment
from projects.presentations.models import Rating, StaffRating, Talk
from projects.presentations.rating import is_own


@dataclass(frozen=True)
class OpenTalk:
    """The talk that is rated now, as one person sees it: their own team's, rated by them already, or waiting for their thumb."""

    team: str
    url: str
    is_own: bool
    rated: bool


@dataclass(frozen=True)
class Talks:
    """Whether any are planned, and the open one."""

    planned: bool
    open: OpenTalk | None


def talks_of(viewer: Enrollment) -> Talks:
    """In the viewer's offering. One query, and up to four more while a talk is rated; every page asks, and nearly always none is."""
    open_first = (F("closed_at").asc(nulls_first=True), F("opened_at").asc(nulls_last=True))
    talk = Talk.objects.filter(offering=viewer.offering_id).order_by(*open_first).first()
    if talk is None or not talk.is_open:
        return Talks(planned=talk is not None, open=None)
    ratings = StaffRating.objects if viewer.is_staff else Rating.objects
    own, rated = is_own(talk, viewer), ratings.filter(talk=talk, rater=viewer).exists()
    slug = viewer.offering.slug
    url = reverse("talks", args=[slug]) if own else reverse("talk-rate", args=[slug, talk.pk])
    return Talks(planned=True, open=OpenTalk(talk.team.name, url, is_own=own, rated=rated))
