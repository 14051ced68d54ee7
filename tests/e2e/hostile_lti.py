"""What a platform says of itself and its people, for the hostile course."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from config import clock
from lti.models import Context, Deployment, Line, Member, Platform, ScoreMessage

if TYPE_CHECKING:
    from tests.e2e.hostile_course import Course


def lti_words(course: Course, n: int, text: str) -> None:
    """Names of a platform, its course, its column and its people, and why a score did not arrive."""
    urls = {f"{name}_url": f"https://canvas.example/{name}" for name in ("auth", "token", "jwks")}
    platform = Platform.objects.create(name=text[:120], issuer=f"https://canvas.example/{n}", client_id="1", **urls)
    deployment = Deployment.objects.create(platform=platform, deployment_id="1")
    made = Context.objects.create(
        deployment=deployment, context_id=str(n), title=text[:300], offering=course.offering, linked_at=clock.now(),
        members_read_at=clock.now(),
    )  # fmt: skip
    Member.objects.create(context=made, subject=text[:255], name=text[:200], email=text[:254], role="student")
    line = Line.objects.create(context=made, key=f"lab:{n}", title=text[:300], points=10)
    ScoreMessage.objects.create(line=line, enrollment=course.students[n], points=1, trouble=text[:500])


def lti_pages(course: Course) -> list[str]:
    """The pages that show them, for the instructor."""
    slug = course.offering.slug
    linked = Context.objects.filter(offering=course.offering).order_by("pk")[:12]
    pages = [reverse(name, args=[slug, row.pk]) for row in linked for name in ("lti-members", "lti-scores")]
    return [reverse("lti", args=[slug]), *pages]
