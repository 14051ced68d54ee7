"""What every page of an offering needs to know about talks: whether there are any, and which one is rated now."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q
from django.urls import reverse

from courses.models import Enrollment
from projects.presentations.models import Rating, Speaker, StaffRating, Talk
from projects.teams.models import Membership


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
    """In the viewer's offering. One query."""
    ratings = StaffRating.objects if viewer.is_staff else Rating.objects
    mine = Membership.objects.current().filter(team=OuterRef("team"), enrollment=viewer)
    talks = Talk.objects.filter(offering=viewer.offering_id).annotate(
        running=ExpressionWrapper(Q(opened_at__isnull=False, closed_at=None), output_field=BooleanField()),
        own=Exists(Speaker.objects.filter(talk=OuterRef("pk"), enrollment=viewer)) | Exists(mine),
        rated=Exists(ratings.filter(talk=OuterRef("pk"), rater=viewer)),
    )
    found = talks.order_by("-running", "pk").values("pk", "team__name", "running", "own", "rated").first()
    if found is None or not found["running"]:
        return Talks(planned=found is not None, open=None)
    slug = viewer.offering.slug
    url = reverse("talks", args=[slug]) if found["own"] else reverse("talk-rate", args=[slug, found["pk"]])
    return Talks(planned=True, open=OpenTalk(found["team__name"], url, is_own=found["own"], rated=found["rated"]))
