"""Two teams and their talks in the last session; the class listens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

import pytest

from courses.models import Enrollment, Session
from projects.models import PresentationRules, Talk, Team
from tests.factories import SessionFactory, person, talk, team


@dataclass(frozen=True)
class Hour:
    """Ada and Kofi present in `talk`, Noor and Linh in `later`; four others only listen."""

    session: Session
    team: Team
    other: Team
    talk: Talk
    later: Talk
    noor: Enrollment
    linh: Enrollment
    listeners: tuple[Enrollment, ...]


@pytest.fixture
def hour(world) -> Hour:
    offering = world.offering
    PresentationRules.objects.create(offering=offering, first_talk=time(15, 30))
    session = SessionFactory(offering=offering, topic="Presentations")
    noor, linh = person(offering, name="Noor Haddad"), person(offering, name="Linh Nguyen")
    one = team(offering, world.student, world.classmate, name="Fast Attention")
    two = team(offering, noor, linh, name="Lean Caches")
    return Hour(
        session=session,
        team=one,
        other=two,
        talk=talk(one, session=session),
        later=talk(two, session=session, position=2),
        noor=noor,
        linh=linh,
        listeners=tuple(
            person(offering, name=name) for name in ("Mei Chen", "Jin Watanabe", "Omar Farouk", "Nia Cole")
        ),
    )
