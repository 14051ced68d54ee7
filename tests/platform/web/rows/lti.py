"""Rows of LTI: what platforms open is everyone's and decides by signatures; the rest is for the offering's instructors."""

from __future__ import annotations

from gradebook.presets import weights
from gradebook.services import create_scheme
from lti.models import Context, Deployment, Member, Platform, ScoreMessage
from tests.platform.web.rows import EVERYONE, Row

MODELS = (Platform, Context, Member, ScoreMessage)
INSTRUCTOR = {"instructor"}


def make(world, things):
    if not world.offering.components.exists():
        create_scheme(offering=world.offering, weights=weights("A"))
    urls = {f"{name}_url": f"https://canvas.example/{name}" for name in ("auth", "token", "jwks")}
    platform, _ = Platform.objects.get_or_create(
        issuer="https://canvas.example", client_id="1", defaults={"name": "Canvas", **urls}
    )
    deployment, _ = Deployment.objects.get_or_create(platform=platform, deployment_id="1")
    made = [Context.objects.create(deployment=deployment, context_id=f"{n}") for n in range(2)]
    Context.objects.filter(pk=made[0].pk).update(offering=world.offering, linked_at="2026-02-01T00:00:00Z")
    Member.objects.create(context=made[0], subject="ada", role="student", enrollment=world.student)
    return {"lti": made[0], "lti_new": made[1]}


def offering(things):
    return [things.offering.slug]


def course(things):
    return [things.offering.slug, things.more["lti"].pk]


ROWS = {
    "lti-keys": Row(EVERYONE),
    # without a platform's message there is nothing to do; tests/platform/lti has those with one
    "lti-login": Row(EVERYONE, found=400),
    "lti-launch": Row(EVERYONE, method="post", found=400),
    "lti-arrived": Row(EVERYONE, found=403),
    # for who came from that course as its instructor, and for nobody by a role
    "lti-which-offering": Row(set(), lambda things: [things.more["lti_new"].pk]),
    "lti": Row(INSTRUCTOR, offering),
    "lti-admits": Row(INSTRUCTOR, course, "post", lambda _: {"admits": "on"}, 302),
    "lti-unlink": Row(INSTRUCTOR, course, "post", found=302),
    "lti-members": Row(INSTRUCTOR, course),
    # this course's platform offers no names and roles, and no gradebook
    "lti-members-read": Row(INSTRUCTOR, course, "post", found=422),
    "lti-members-ids": Row(INSTRUCTOR, course, "post", found=302),
    "lti-members-file": Row(INSTRUCTOR, course),
    "lti-scores": Row(INSTRUCTOR, course, data=lambda _: {"column": "lab:tiny"}),
    "lti-scores-send": Row(INSTRUCTOR, course, "post", lambda _: {"column": "lab:tiny", "seen": "x"}, 422),
}
