"""Shared work: whose it is, what counts for whom, who may see it, and how attempts are numbered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.http import Http404

from config import clock
from projects.models import Membership
from reviews.marking.scores import latest_of_students, latest_submissions
from submissions.access import get_submission_for
from tests.factories import ReadingFactory, deliverable, person, summary, team, team_work

pytestmark = pytest.mark.django_db


def leaves(student):
    Membership.objects.filter(enrollment=student).update(left_at=clock.now())


def joins(student, of):
    Membership.objects.create(team=of, enrollment=student, joined_at=clock.now())


def test_what_counts_is_the_latest_work_that_a_student_was_an_author_of(world):
    work = deliverable(world.offering)
    ada, bob, cy = (person(world.offering) for _ in range(3))
    crew = team(world.offering, ada, bob)
    first = team_work(work, crew, at=clock.now() - timedelta(hours=2))
    leaves(bob)
    joins(cy, crew)
    second = team_work(work, crew)
    assert latest_of_students(work) == {
        (ada.pk, work.pk): second.pk,
        (cy.pk, work.pk): second.pk,
        (bob.pk, work.pk): first.pk,
    }
    assert set(latest_submissions(work)) == {first, second}


def test_a_submission_that_counts_for_nobody_is_not_graded(world):
    work = deliverable(world.offering)
    crew = team(world.offering, person(world.offering), person(world.offering))
    team_work(work, crew)
    latest = team_work(work, crew)
    assert [row.pk for row in latest_submissions(work)] == [latest.pk]


def test_attempts_of_authors_are_numbered_together(world):
    work = deliverable(world.offering)
    ada, bob = person(world.offering), person(world.offering)
    crew = team(world.offering, ada, bob)
    assert team_work(work, crew).number == 1
    leaves(ada)  # now bob presses the button
    second = team_work(work, crew)
    assert (second.number, second.enrollment) == (2, bob)


def test_authors_and_staff_see_it_and_nobody_else(world):
    work = deliverable(world.offering)
    ada, bob, cy = (person(world.offering) for _ in range(3))
    crew = team(world.offering, ada, bob)
    made = team_work(work, crew)
    leaves(bob)
    joins(cy, crew)
    for viewer in (ada, bob, world.ta, world.instructor):
        assert get_submission_for(viewer.user, made.pk).viewer == viewer
    for stranger in (cy, world.student):
        with pytest.raises(Http404):
            get_submission_for(stranger.user, made.pk)


def test_work_of_one_person_has_no_authors_and_counts_as_before(world):
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    ada = person(world.offering)
    summary(reading, ada)
    latest = summary(reading, ada)
    assert not latest.authors.exists()
    assert latest_of_students(reading) == {(ada.pk, reading.pk): latest.pk}
    assert list(latest_submissions(reading)) == [latest]
