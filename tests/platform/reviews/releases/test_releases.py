"""What students see before, after and without a release; one act, undone for a while, taken back with a reason after it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from config import clock
from gradebook.access import get_own_grade
from gradebook.derivation.pages import derivation_page
from reviews.marking.models import Purpose
from reviews.models import RubricScore
from reviews.releases.concerns import concerns_of
from reviews.releases.models import Release, ReleaseItem, ReleaseMail
from reviews.releases.plan import plan_of
from reviews.releases.services import ReleaseRefused, release, retract, undo
from reviews.releases.standing import is_released
from reviews.services import override
from tests.factories import reported, reviewed, submit, summary

pytestmark = pytest.mark.django_db


def seen(enrollment, kind: str = "reading") -> tuple[str, Decimal | None]:
    page = derivation_page(get_own_grade(enrollment.user, enrollment.offering.slug))
    part = next(part for part in page.loose if part.key.startswith(kind))
    return part.chip.label, Decimal(int(part.score.points)) if part.is_graded else None


def test_before_the_release_students_read_no_number(world, graded, browser):
    assert seen(world.student) == ("Graded, not released", None)
    assert seen(graded.zoe) == ("Nothing handed in", None)
    page = browser(world.student).get(reverse("grades", args=[world.offering.slug])).content.decode()
    assert "Graded, not released" in page
    assert "Well argued" not in page
    assert "– / 12" in page


def test_one_act_shows_every_score(world, graded):
    made = release(assignment=graded.reading, by=world.instructor.user)
    assert seen(world.student) == ("Released", Decimal(10))
    assert seen(world.classmate) == ("Released", Decimal(6))
    assert made.items.count() == 2
    event = AuditEvent.objects.get(action="released")
    assert (event.actor, event.after) == (world.instructor.user, "2 scores")


def test_ungraded_work_keeps_it_from_being_released_unless_the_rest_follows_later(world, graded):
    late = summary(graded.reading, graded.zoe)
    with pytest.raises(ReleaseRefused, match="1 of 3 submissions"):
        release(assignment=graded.reading, by=world.instructor.user)
    assert not Release.objects.exists()
    release(assignment=graded.reading, by=world.instructor.user, partial=True)
    assert seen(graded.zoe) == ("Handed in", None)
    reviewed(late, world.ta)
    assert seen(graded.zoe) == ("Graded, not released", None)
    rest = release(assignment=graded.reading, by=world.instructor.user)
    assert [item.submission for item in rest.items.all()] == [late]
    assert seen(graded.zoe) == ("Released", Decimal(12))


def test_flagged_work_can_be_kept_back(world, graded):
    graded.kofi.reviews.update(flagged=True)
    with pytest.raises(ReleaseRefused, match="left out"):
        release(assignment=graded.reading, by=world.instructor.user, with_flagged=False)
    release(assignment=graded.reading, by=world.instructor.user, with_flagged=False, partial=True)
    assert (seen(world.student)[0], seen(world.classmate)[0]) == ("Released", "Graded, not released")
    release(assignment=graded.reading, by=world.instructor.user)
    assert seen(world.classmate) == ("Released", Decimal(6))


def test_there_must_be_something_to_release(world, graded):
    release(assignment=graded.reading, by=world.instructor.user)
    with pytest.raises(ReleaseRefused, match="no score to release"):
        release(assignment=graded.reading, by=world.instructor.user)
    assert Release.objects.count() == 1


def test_a_new_submission_is_not_released_with_the_old_one(world, graded):
    release(assignment=graded.reading, by=world.instructor.user)
    newer = summary(graded.reading, world.student)
    assert seen(world.student) == ("Handed in", None)
    reviewed(newer, world.ta)
    assert seen(world.student) == ("Graded, not released", None)


class TestUndo:
    def test_it_takes_everything_back(self, world, graded):
        made = release(assignment=graded.reading, by=world.instructor.user)
        assert undo(release=made, by=world.instructor.user)
        assert not undo(release=made, by=world.instructor.user), "a second click is no second act"
        assert seen(world.student) == ("Graded, not released", None)
        assert not ReleaseMail.objects.exclude(mail_at=None).exists()
        assert not is_released(graded.ada)
        assert AuditEvent.objects.filter(action="undid a release").count() == 1

    def test_it_is_possible_until_students_are_told_and_no_longer(self, world, graded, at, settings):
        now = clock.now()
        at(now)
        made = release(assignment=graded.reading, by=world.instructor.user)
        at(now + timedelta(seconds=settings.RELEASE_UNDO_S))
        with pytest.raises(ReleaseRefused, match="take it back with a reason"):
            undo(release=made, by=world.instructor.user)
        assert seen(world.student)[0] == "Released"

    def test_then_it_can_be_released_again(self, world, graded):
        undo(release=release(assignment=graded.reading, by=world.instructor.user), by=world.instructor.user)
        release(assignment=graded.reading, by=world.instructor.user)
        assert seen(world.student) == ("Released", Decimal(10))


class TestRetract:
    @pytest.fixture
    def told(self, world, graded, settings) -> Release:
        settings.RELEASE_UNDO_S = 0
        return release(assignment=graded.reading, by=world.instructor.user)

    def test_it_hides_the_scores_and_says_why(self, world, told, browser):
        assert retract(release=told, reason="The key was wrong.", by=world.instructor.user)
        assert not retract(release=told, reason="The key was wrong.", by=world.instructor.user)
        assert seen(world.student) == ("Taken back", None)
        page = browser(world.student).get(reverse("grades", args=[world.offering.slug])).content.decode()
        assert "The key was wrong." in page
        event = AuditEvent.objects.get(action="took a release back")
        assert (event.before, event.reason) == ("2 scores", "The key was wrong.")

    @pytest.mark.parametrize("reason", ["", "  ", "no"])
    def test_it_needs_a_reason(self, world, told, reason):
        with pytest.raises(ReleaseRefused, match="reason"):
            retract(release=told, reason=reason, by=world.instructor.user)
        assert seen(world.student)[0] == "Released"

    def test_while_it_can_be_undone_it_is_not_taken_back(self, world, graded):
        made = release(assignment=graded.reading, by=world.instructor.user)
        with pytest.raises(ReleaseRefused, match="Undo it"):
            retract(release=made, reason="The key was wrong.", by=world.instructor.user)

    def test_a_later_release_shows_the_scores_again(self, world, graded, told):
        retract(release=told, reason="The key was wrong.", by=world.instructor.user)
        release(assignment=graded.reading, by=world.instructor.user)
        assert seen(world.student) == ("Released", Decimal(10))


class TestLab:
    @pytest.fixture
    def lab(self, world):
        submission = reported(submit(world.lab, world.student), 3.0, 4.0)
        item = world.lab.rubric.items.get(task_id="1")
        override(submission=submission, item=item, score=Decimal(6), reason="because", by=world.ta.user)
        return world.lab

    def test_it_shows_hidden_checks_and_scores_set_by_staff(self, world, lab):
        assert seen(world.student, "lab")[1] == 7
        release(assignment=lab, by=world.instructor.user)
        assert seen(world.student, "lab") == ("Released", 10)

    def test_undo_hides_both_again(self, world, lab):
        undo(release=release(assignment=lab, by=world.instructor.user), by=world.instructor.user)
        lab.refresh_from_db()
        assert lab.released_at is None
        assert RubricScore.objects.get().released_at is None
        assert seen(world.student, "lab")[1] == 7

    def test_undo_leaves_what_another_act_released(self, world, lab, at):
        from reviews.services import release as release_by_hand

        release_by_hand(submission=lab.submissions.get(), by=world.ta.user)
        at(clock.now() + timedelta(minutes=1))
        reported(submit(lab, world.classmate))
        made = release(assignment=lab, by=world.instructor.user)
        undo(release=made, by=world.instructor.user)
        assert RubricScore.objects.get().released_at is not None

    def test_a_changed_score_is_released_by_the_next_act(self, world, lab, at):
        release(assignment=lab, by=world.instructor.user)
        at(clock.now() + timedelta(hours=1))
        item, submission = lab.rubric.items.get(task_id="1"), lab.submissions.get()
        override(submission=submission, item=item, score=Decimal(2), reason="on second thought", by=world.ta.user)
        assert plan_of(lab).count("ready") == 1
        release(assignment=lab, by=world.instructor.user)
        assert seen(world.student, "lab")[1] == 6
        assert ReleaseItem.objects.count() == 2


def test_two_readings_that_disagree_are_named(world, graded):
    reviewed(graded.ada, world.instructor, 2, 2, 2, 2, 1, 1, purpose=Purpose.SECOND)
    assert concerns_of(plan_of(graded.reading)) == ()
    reviewed(graded.kofi, world.instructor, 2, 2, 2, 2, 2, 2, purpose=Purpose.SECOND)
    (concern,) = concerns_of(plan_of(graded.reading))
    assert concern.lines == ("Kofi Mensah: 6 and 12",)
    assert seen(world.classmate) == ("Graded, not released", None)
