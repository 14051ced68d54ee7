"""What a talk comes to, for the gradebook, for its team, and for staff."""

from __future__ import annotations

from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from config import clock
from projects.models import PresentationRules
from projects.presentations.locks import TalkRefused
from projects.presentations.models import Moderation
from projects.presentations.moderation import moderate
from projects.presentations.releasing import release, take_back
from projects.presentations.results import feedback_page, results_page, talk_result_page
from projects.presentations.scores import presentation_scores
from tests.factories import closed, opened, person, rated, staff_rated, talk, team

pytestmark = pytest.mark.django_db


@pytest.fixture
def done(world, hour):
    """Three classmates gave 5, 4 and 4, two of staff 4 and 3 all over: halves of 250/3 and 62.5 points."""
    opened(hour.talk, world.ta)
    for rater, score in zip((hour.noor, *hour.listeners), (5, 4, 4), strict=False):
        rated(hour.talk, rater, score, f"{score} from me")
    staff_rated(hour.talk, world.ta, comment="Practise the ending.")
    staff_rated(hour.talk, world.instructor, 3, 3, 3, 3, 3)
    return closed(hour.talk, world.ta)


def test_half_and_half_exactly(world, hour, done):
    score = presentation_scores(world.offering)[world.student.pk]
    assert (score.staff, score.classmates) == (Fraction(125, 2), Fraction(250, 3))
    assert score.points == Fraction(125, 4) + Fraction(125, 3)
    assert score.max_points == 100
    assert (score.staff_weight, score.classmates_weight) == (Fraction(1, 2), Fraction(1, 2))
    assert (score.raters, score.staff_raters, score.scale, score.released) == (3, 2, 5, False)
    assert score.criteria[0] == ("Format", Fraction(7, 2))
    assert len(score.criteria) == 5
    assert (score.talk_pk, score.team, score.closed_at) == (done.pk, "Fast Attention", done.closed_at)


def test_both_speakers_have_it_and_nobody_else(world, hour, done):
    scores = presentation_scores(world.offering)
    assert set(scores) == {world.student.pk, world.classmate.pk}
    assert presentation_scores(world.other_lab.offering) == {}


def test_a_talk_has_no_score_while_it_is_open_or_unrated(world, hour):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor)
    assert presentation_scores(world.offering) == {}
    closed(hour.talk, world.ta)
    closed(opened(hour.later, world.ta), world.ta)
    assert set(presentation_scores(world.offering)) == {world.student.pk, world.classmate.pk}


def test_practice_has_none(world, hour):
    practice = opened(talk(hour.team, practice=True), world.ta)
    rated(practice, hour.noor)
    closed(practice, world.ta)
    assert presentation_scores(world.offering) == {}


def test_a_half_that_nobody_gave_is_left_out(world, hour):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor, 5)
    closed(hour.talk, world.ta)
    score = presentation_scores(world.offering)[world.student.pk]
    assert (score.points, score.staff, score.classmates_weight) == (100, None, 1)


def test_the_rules_decide(world, hour, done):
    PresentationRules.objects.update(staff_share=100)
    assert presentation_scores(world.offering)[world.student.pk].points == Fraction(125, 2)


def test_the_number_of_queries_does_not_grow(world, hour, done):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            presentation_scores(world.offering)
        return len(queries)

    few = asked()
    for _ in range(6):
        more = opened(talk(team(world.offering, person(world.offering))), world.ta)
        rated(more, hour.linh)
        staff_rated(more, world.ta)
        closed(more, world.ta)
    assert len(presentation_scores(world.offering)) == 8
    assert asked() == few == 4


def let_through(talk, by) -> None:
    for rating in talk.ratings.exclude(comment=""):
        moderate(rating=rating, decision=Moderation.SHOWN, revision=rating.revision, by=by.user)


def test_the_team_sees_nothing_before_the_release(world, hour, done):
    let_through(done, world.ta)
    page = feedback_page(world.student, done)
    assert (page.formula, page.comments, page.staff_comments, page.criteria) == (None, (), (), ())


def test_after_it_score_and_comments_that_were_let_through(world, hour, done):
    held, *shown = list(done.ratings.all())
    for rating in shown:
        moderate(rating=rating, decision=Moderation.SHOWN, revision=1, by=world.ta.user)
    moderate(rating=held, decision=Moderation.HELD, revision=1, by=world.ta.user)
    assert release(offering=world.offering, talks=[done.pk], by=world.instructor.user) == 1
    done.refresh_from_db()
    page = feedback_page(world.student, done)
    assert sorted(page.comments) == ["4 from me", "4 from me"]
    assert page.staff_comments == ("Practise the ending.",)
    assert page.formula.total == pytest.approx(875 / 12)
    assert AuditEvent.objects.get(action="released a talk's score").after == "Fast Attention: 72.92 of 100"


def test_comments_stand_in_no_order_that_tells_who_wrote_them(world, hour, done):
    raters = [person(world.offering) for _ in range(12)]
    opened(hour.talk, world.ta)
    for number, rater in enumerate(raters):
        rated(hour.talk, rater, 3, f"comment {number:02}")
    closed(hour.talk, world.ta)
    let_through(done, world.ta)
    release(offering=world.offering, talks=[done.pk], by=world.instructor.user)
    done.refresh_from_db()
    once, twice = (feedback_page(world.student, done).comments for _ in range(2))
    assert once == twice
    assert list(once) != sorted(once)
    assert list(once) != [rating.comment for rating in done.ratings.all()]


def test_below_three_raters_no_comment_is_shown(world, hour):
    opened(hour.talk, world.ta)
    for rater in (hour.noor, hour.linh):
        rated(hour.talk, rater, 4, "I am one of two.")
    closed(hour.talk, world.ta)
    let_through(hour.talk, world.ta)
    release(offering=world.offering, talks=[hour.talk.pk], by=world.instructor.user)
    hour.talk.refresh_from_db()
    page = feedback_page(world.student, hour.talk)
    assert (page.few, page.comments) == (True, ())


def test_a_release_is_undone_without_a_word_and_later_taken_back_with_one(world, hour, done, at, settings):
    now = clock.now()
    at(now)
    release(offering=world.offering, talks=[done.pk], by=world.instructor.user)
    assert take_back(talk=done, reason="", by=world.instructor.user)
    done.refresh_from_db()
    assert (done.released_at, done.taken_back_at) == (None, None)
    assert not take_back(talk=done, reason="", by=world.instructor.user)

    release(offering=world.offering, talks=[done.pk], by=world.instructor.user)
    at(now.replace(year=now.year + 1))
    with pytest.raises(TalkRefused, match="give a reason"):
        take_back(talk=done, reason=" ", by=world.instructor.user)
    assert take_back(talk=done, reason="A mark was wrong.", by=world.instructor.user)
    done.refresh_from_db()
    page = feedback_page(world.student, done)
    assert (page.taken_back, page.formula, page.talk.taken_back_reason) == (True, None, "A mark was wrong.")
    assert not presentation_scores(world.offering)[world.student.pk].released
    acts = set(AuditEvent.objects.filter(subject_type="Talk").values_list("action", flat=True))
    assert {"undid the release of a talk's score", "took a talk's score back"} <= acts

    release(offering=world.offering, talks=[done.pk], by=world.instructor.user)
    done.refresh_from_db()
    assert done.taken_back_at is None


def test_all_of_the_chosen_talks_are_released_or_none(world, hour, done):
    opened(hour.later, world.ta)
    for chosen, why in (([done.pk, hour.later.pk], "not closed yet"), ([done.pk, 999], "taken off")):
        with pytest.raises(TalkRefused, match=why):
            release(offering=world.offering, talks=chosen, by=world.instructor.user)
    closed(hour.later, world.ta)
    with pytest.raises(TalkRefused, match="Nobody rated Lean Caches"):
        release(offering=world.offering, talks=[done.pk, hour.later.pk], by=world.instructor.user)
    with pytest.raises(TalkRefused, match="another offering"):
        release(offering=world.other_lab.offering, talks=[done.pk], by=world.instructor.user)
    done.refresh_from_db()
    assert done.released_at is None
    assert release(offering=world.offering, talks=[done.pk], by=world.instructor.user) == 1
    assert release(offering=world.offering, talks=[done.pk], by=world.instructor.user) == 0


def test_staff_see_the_corrected_mean_beside_the_plain_one(world, hour, done):
    page = results_page(world.instructor)
    (row,) = page.rows
    assert (row.staff, row.classmates) == (3.5, pytest.approx(13 / 3))
    assert row.corrected == pytest.approx(13 / 3)  # one talk alone: nobody can be told to be lenient
    assert (row.points, row.waiting, row.can_release) == (pytest.approx(875 / 12), 3, True)


def test_names_of_raters_are_for_instructors(world, hour, done):
    assert {mark.name for mark in talk_result_page(world.ta, done).marks} == {""}
    assert {mark.name for mark in talk_result_page(world.instructor, done).marks} == {
        "Noor Haddad",
        "Mei Chen",
        "Jin Watanabe",
    }
    assert [bar.count for bar in talk_result_page(world.ta, done).bars] == [0, 0, 0, 2, 1]
