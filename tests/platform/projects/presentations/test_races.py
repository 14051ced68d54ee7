"""Sixty phones at the same moment: every rating that was acknowledged is stored, once, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from projects.presentations import opening
from projects.presentations.locks import TalkRefused
from tests.factories import OfferingFactory, person, talk, team
from tests.platform.projects.presentations import racing


@pytest.mark.django_db(transaction=True)
def test_sixty_ratings_at_once(files_dir):
    about, raters, staff = racing.an_hour()
    answers = racing.rate_all(about, raters, staff)
    assert racing.lost(about, answers) == []
    assert about.ratings.count() == len(raters)
    edits = [saved for told in answers.values() for _, saved in told.edits]
    assert not any(edits[len(raters) // 2 :])  # those were certainly too late


@pytest.mark.django_db(transaction=True)
def test_of_two_talks_opened_at_once_one_is(files_dir):
    offering = OfferingFactory()
    staff, refused = person(offering, "ta"), []
    talks = [talk(team(offering, person(offering))) for _ in range(2)]

    def begin(about) -> None:
        try:
            opening.open_ratings(talk=about, by=staff.user)
        except TalkRefused as refusal:
            refused.append(str(refusal))

    racing.at_once([lambda about=about: begin(about) for about in talks])
    assert offering.talks.open().count() == 1
    assert len(refused) == 1


def test_the_same_on_postgresql(on_postgresql):
    told = on_postgresql(racing)
    assert told["lost"] == []
    assert told["ratings"] == len(told["edits"]) == racing.RATERS + racing.HASTY
    assert not any(told["edits"][len(told["edits"]) // 2 :])
