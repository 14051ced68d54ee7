"""Calibration: every grader reads the same texts, sees the instructor's marks after their own, and nobody's score moves."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError
from django.urls import reverse

from audit.models import AuditEvent
from reviews.agreement.models import CalibrationText
from reviews.agreement.selectors import agreement_page
from reviews.agreement.services import choose_calibration, read_calibration, remove_calibration
from reviews.marking.models import Purpose, Review
from reviews.marking.scores import hand_scores
from reviews.marking.services import ReviewRefused
from reviews.models import RubricItem
from tests.factories import reported, submit, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def text(world, reading) -> CalibrationText:
    work = summary(reading, world.student)
    return choose_calibration(offering=world.offering, number=work.pk, by=world.instructor.user)


def marks(text, *scores: int) -> dict[int, Decimal]:
    items = RubricItem.objects.filter(rubric__assignment=text.submission.assignment)
    return {item.pk: Decimal(score) for item, score in zip(items, scores or (2,) * 6, strict=True)}


def gave(text, who, *scores: int, revision: int = 0) -> Review:
    return read_calibration(text=text, marks=marks(text, *scores), comment="", revision=revision, by=who.user)


def url(world, name, *more) -> str:
    return reverse(name, args=[world.offering.slug, *more])


def test_all_graders_have_a_reading_of_their_own_and_none_is_a_score(world, text, other_ta):
    for who in (world.instructor, world.ta, other_ta):
        gave(text, who)
    assert Review.objects.filter(purpose=Purpose.CALIBRATION).count() == 3
    assert hand_scores([text.submission]) == {}
    assert not hasattr(text.submission, "double_reading")


def test_the_database_holds_one_reading_a_grader(world, text):
    review = gave(text, world.ta)
    review.pk = None
    with pytest.raises(IntegrityError):
        review.save()


def test_a_grader_reads_once_and_the_one_who_chose_may_change_theirs(world, text):
    gave(text, world.ta)
    with pytest.raises(ReviewRefused, match="stay as they are"):
        gave(text, world.ta, 0, 0, 0, 0, 0, 0, revision=1)
    gave(text, world.instructor)
    assert gave(text, world.instructor, 1, 1, 1, 1, 1, 1, revision=1).revision == 2


def test_the_instructors_marks_are_seen_after_ones_own(world, text, browser):
    gave(text, world.instructor, 1, 0, 1, 0, 1, 0)
    client, address = browser(world.ta), url(world, "calibration-text", text.pk)
    assert "You and the instructor" not in client.get(address).content.decode()
    assert "after yours" in client.get(url(world, "calibration")).content.decode()
    data = {f"item-{pk}": "2" for pk in marks(text)} | {"revision": "0", "comment": ""}
    page = client.post(url(world, "calibration-mark", text.pk), data, follow=True).content.decode()
    assert "You and the instructor" in page
    assert "+2" in page
    assert "Keep my marks" not in page


def test_the_list_compares_everybody_with_who_chose(world, text, other_ta, browser):
    gave(text, world.instructor, 2, 2, 2, 1, 1, 1)
    gave(text, world.ta, 2, 2, 2, 2, 2, 2)
    gave(text, other_ta, 2, 2, 2, 1, 1, 1)
    page = browser(world.instructor).get(url(world, "calibration")).content.decode()
    assert "Priya Raman" in page
    assert "+3.00" in page
    assert "50 %" in page
    assert "100 %" in page
    page = browser(world.ta).get(url(world, "calibration")).content.decode()
    assert "Tomas Novak" not in page
    assert "Reader 1" in page


def test_calibration_links_readers_who_share_no_submission(world, text, twice, other_ta):
    from courses.models import Role
    from tests.factories import person

    third, fourth = (person(world.offering, Role.TA, name=name) for name in ("Mei Sato", "Lea Roth"))
    twice((2, 2, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1))
    twice((2, 2, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1), by=(third, fourth))
    assert agreement_page(world.instructor).groups == 2
    for who in (world.ta, fourth):
        gave(text, who)
    assert agreement_page(world.instructor).groups == 1


def test_missing_marks_are_named_and_what_was_given_comes_back(world, text, browser):
    first, *_ = marks(text)
    data = {f"item-{first}": "1", "revision": "0", "comment": "half of it"}
    response = browser(world.ta).post(url(world, "calibration-mark", text.pk), data)
    assert response.status_code == 422
    page = response.content.decode()
    assert "Not marked yet" in page
    assert "half of it" in page
    assert f'name="item-{first}" value="1" checked' in page
    assert not Review.objects.exists()


@pytest.mark.parametrize("value", ["two", "9", "-1", "1e999", "NaN", "<b>"])
def test_marks_that_are_none_are_told(world, text, browser, value):
    data = {f"item-{pk}": value for pk in marks(text)} | {"revision": "0"}
    response = browser(world.ta).post(url(world, "calibration-mark", text.pk), data)
    assert response.status_code == 422
    assert "<b>" not in response.content.decode()
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [("", "Please give the number"), ("abc", "digits alone"), ("999999", "no summary #999999"), ("9" * 30, "digits")],
)
def test_a_number_that_is_none_is_told(world, browser, number, sentence):
    response = browser(world.instructor).post(url(world, "calibration-choose"), {"number": number})
    assert response.status_code == 422
    assert sentence in response.content.decode()


def test_a_lab_or_another_offerings_work_is_not_chosen(world, reading):
    lab = reported(submit(world.lab, world.student))
    with pytest.raises(ReviewRefused):
        choose_calibration(offering=world.offering, number=lab.pk, by=world.instructor.user)
    theirs = summary(reading, world.student)
    with pytest.raises(ReviewRefused):
        choose_calibration(offering=world.other_lab.offering, number=theirs.pk, by=world.other_instructor.user)


def test_choosing_twice_is_choosing_once_and_removing_keeps_what_was_read(world, text):
    gave(text, world.ta)
    again = choose_calibration(offering=world.offering, number=text.submission_id, by=world.instructor.user)
    assert again == text
    remove_calibration(text=text, by=world.instructor.user)
    assert Review.objects.count() == 1
    acts = list(AuditEvent.objects.values_list("action", flat=True))
    assert acts == ["removed from calibration", "calibrated", "chose for calibration"]
