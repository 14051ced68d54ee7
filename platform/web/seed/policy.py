"""A grading scheme with a past: scheme B was tried and taken back, and a snapshot of the grades was kept before."""

from __future__ import annotations

from accounts.models import User
from courses.models import Offering
from gradebook.freezing.services import take_snapshot
from gradebook.models import PolicyChange, Snapshot
from gradebook.policies.services import revert
from gradebook.presets import weights
from gradebook.services import set_weights
from web.seed.people import INSTRUCTOR, address


def seed_policy(offering: Offering) -> None:
    """Make them once; whatever people did since stays."""
    if PolicyChange.objects.filter(offering=offering).exists() or Snapshot.objects.filter(offering=offering).exists():
        return
    instructor = User.objects.get(email=address(INSTRUCTOR))
    take_snapshot(offering=offering, by=instructor, note="Before the weights were discussed in class")
    set_weights(
        offering=offering,
        weights=weights("B"),
        by=instructor,
        reason="The second table of the course page says 15 and 14.",
    )
    revert(change=offering.policy_changes.get(), by=instructor)
