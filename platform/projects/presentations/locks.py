"""Acts on the talks of an offering follow one another: each takes the row of its rules first, and of a talk after that."""

from __future__ import annotations

from courses.models import Offering
from projects.presentations.models import PresentationRules, Talk


class TalkRefused(Exception):  # noqa: N818 - an answer to the person who asked, not a fault
    """Something that cannot be done with a talk now; the text says why. Nothing has changed."""


def locked_rules(offering: Offering) -> PresentationRules:
    """The offering's rules, made where there are none, with their lock. Inside a transaction."""
    rules, _ = PresentationRules.objects.get_or_create(offering=offering)
    locked = PresentationRules.objects.select_for_update().get(pk=rules.pk)
    locked.offering = offering
    return locked


def locked_talk(pk: int) -> Talk:
    """A talk as it is now, with its lock; raises `TalkRefused` where somebody took it off the schedule meanwhile."""
    talks = Talk.objects.select_for_update(of=("self",)).select_related("team", "session", "offering")
    talk = talks.filter(pk=pk).first()
    if talk is None:
        raise TalkRefused("This talk was taken off the schedule meanwhile, so nothing was done.")
    return talk
