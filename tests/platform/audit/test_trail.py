"""The trail is added to and never changed."""

from __future__ import annotations

import pytest

from audit.models import AuditEvent
from audit.services import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(world):
    return record(actor=world.ta.user, action="tested", subject=world.lab, offering_id=world.offering.pk, reason="why")


def test_an_event_says_who_what_when_and_why(world, event):
    stored = AuditEvent.objects.get()
    assert (stored.actor, stored.actor_name, stored.action, stored.reason) == (
        world.ta.user,
        "Priya Raman",
        "tested",
        "why",
    )
    assert (stored.subject_type, stored.subject_id) == ("Assignment", world.lab.pk)


def test_an_event_is_never_changed(event):
    event.reason = "another"
    with pytest.raises(TypeError, match="never changed"):
        event.save()


def test_an_event_is_never_deleted(event):
    with pytest.raises(TypeError, match="never deleted"):
        event.delete()


def test_the_name_outlives_the_person(world):
    from tests.factories import UserFactory

    someone = UserFactory(name="Leaving Soon")
    record(actor=someone, action="tested", subject=world.lab, offering_id=None)
    someone.delete()
    assert AuditEvent.objects.get().actor_name == "Leaving Soon"


def test_the_platform_acts_under_its_own_name(world):
    assert record(actor=None, action="tested", subject=world.lab, offering_id=None).actor_name == "Gradlab"
