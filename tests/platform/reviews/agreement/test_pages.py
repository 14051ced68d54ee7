"""The page of agreement and both readings side by side: who sees whom, what is told where there is little, and the form."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import clock
from reviews.agreement.models import DoubleReading
from reviews.agreement.selectors import agreement_page
from reviews.agreement.stats import Effect, Interval
from reviews.marking.scores import hand_scores
from tests.factories import ReadingFactory, person, reviewed, summary
from web.templatetags.reader_charts import decimals, effect_chart, signed

pytestmark = pytest.mark.django_db
FULL, LOW = (2, 2, 2, 2, 2, 2), (0, 1, 1, 1, 1, 1)
MIXED = ((2, 1, 0, 2, 1, 2), (2, 2, 0, 1, 1, 2))


def url(world, name="agreement", *more) -> str:
    return reverse(name, args=[world.offering.slug, *more])


def read(client, address) -> str:
    response = client.get(address)
    assert response.status_code == 200
    text = response.content.decode()
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    return text


def test_before_anything_is_read_twice_the_page_says_so(world, browser):
    assert "Nothing has been read twice yet" in read(browser(world.ta), url(world))


def test_one_pair_with_equal_marks_has_no_kappa_and_no_nan(world, twice, browser):
    twice(FULL, FULL)
    text = read(browser(world.instructor), url(world))
    assert "Not defined" in text
    assert "not defined" in text
    assert "100 %" in text


def test_the_numbers_are_those_of_the_pairs(world, twice):
    for _ in range(6):
        twice(*MIXED)
    page = agreement_page(world.instructor)
    assert (page.read, page.overall.marks) == (6, 36)
    assert page.overall.exact == pytest.approx(4 / 6)
    assert [row.title for row in page.items][:2] == ["The problem", "Its impact"]
    assert [row.agreement.exact for row in page.items] == [1, 0, 1, 0, 1, 1]
    assert page.chip.label == "Good"


def test_a_lenient_reader_is_told_with_an_interval(world, twice, other_ta):
    for _ in range(6):
        twice(LOW, FULL)
    rows = {row.name: row.figures for row in agreement_page(world.instructor).readers}
    assert rows["Tomas Novak"].against.value == 7
    assert rows["Priya Raman"].against.value == -7
    assert rows["Tomas Novak"].effect.value == pytest.approx(3.5)
    assert rows["Tomas Novak"].against.interval is not None


def test_weeks_are_apart_and_show_drift(world, twice, at, reading):
    monday = clock.now().replace(hour=18, minute=0)
    monday -= timedelta(days=monday.weekday())
    for week, second in enumerate(((2, 2, 2, 2, 2, 2), (2, 2, 2, 1, 1, 1))):
        at(monday + timedelta(days=7 * week))
        twice(FULL, second)
    page = agreement_page(world.instructor)
    assert [row.agreement.exact for row in page.weeks] == [1.0, 0.5]
    drift = {row.name: [week.difference for week in row.figures.drift] for row in page.readers}
    assert drift["Priya Raman"] == [0, 3]
    assert drift["Tomas Novak"] == [0, -3]


def test_a_ta_sees_their_own_row_and_the_others_without_names(world, twice, other_ta, browser):
    twice(FULL, LOW)
    twice(FULL, LOW, by=(other_ta, world.instructor))
    text = read(browser(world.ta), url(world))
    assert "You" in text
    assert "Reader 1" in text
    assert "Reader 2" in text
    assert other_ta.user.name not in text
    assert world.instructor.user.name not in text
    named = read(browser(world.instructor), url(world))
    assert other_ta.user.name in named
    assert "Reader 1" not in named


def test_a_ta_opens_what_they_read_themselves_and_nothing_else(world, twice, other_ta, browser):
    own, theirs = twice(FULL, LOW), twice(FULL, LOW, by=(world.instructor, other_ta))
    ta = browser(world.ta)
    page = read(ta, url(world, "double-reading", own.pk))
    assert "Another reader" in page
    assert other_ta.user.name not in page
    assert "Settle it" not in page
    assert ta.get(url(world, "double-reading", theirs.pk)).status_code == 404
    listed = read(ta, url(world))
    assert url(world, "double-reading", theirs.pk) not in listed
    assert url(world, "double-reading", own.pk) in listed


def test_readers_see_each_other_only_when_neither_is_corrected_any_more(world, twice, browser):
    kept = twice(FULL, LOW, just_now=True)
    address = url(world, "double-reading", kept.pk)
    assert browser(world.ta).get(address).status_code == 404
    assert address not in read(browser(world.ta), url(world))
    assert "Settle it" in read(browser(world.instructor), address)


def test_before_the_second_reading_is_there_nothing_can_be_opened(world, reading, browser):
    reviewed(summary(reading, world.student), world.ta)
    assert "Nothing has been read twice yet" in read(browser(world.instructor), url(world))


def test_the_page_names_no_student(world, twice, browser):
    kept = twice(FULL, LOW)
    student = kept.submission.enrollment.user.name
    assert student not in read(browser(world.instructor), url(world))
    assert student not in read(browser(world.instructor), url(world, "double-reading", kept.pk))


def test_what_is_far_apart_waits_in_front(world, twice, browser):
    close, far = twice(FULL, FULL), twice(FULL, LOW)
    page = agreement_page(world.instructor)
    assert [row.reading for row in page.apart] == [far]
    assert [row.reading for row in page.pairs] == [close]


def test_one_assignment_can_be_looked_at_alone(world, twice):
    twice(FULL, LOW)
    other = ReadingFactory(assignment__offering=world.offering).assignment
    assert agreement_page(world.instructor, other.slug).read == 0
    assert agreement_page(world.instructor, "no-such").read == 1


def test_another_offerings_readings_are_not_counted(world, twice):
    twice(FULL, LOW)
    assert agreement_page(world.other_instructor).read == 0


def test_the_instructor_adopts_the_second_reading_by_the_form(world, twice, browser):
    kept = twice(FULL, LOW)
    client = browser(world.instructor)
    assert "Settle it" in read(client, url(world, "double-reading", kept.pk))
    data = {"outcome": "second", "reason": "It fits the levels.", "revision": "1"}
    page = client.post(url(world, "double-reading-settle", kept.pk), data, follow=True).content.decode()
    assert "The second reading is adopted" in page
    assert "It fits the levels." in page
    assert "Settle it" not in page
    assert hand_scores([kept.submission])[kept.submission_id].total == 5


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "choose what becomes"),
        ({"outcome": "third"}, "one of the three"),
        ({"outcome": "second", "reason": ""}, "give a reason"),
        ({"outcome": "second", "reason": "x" * 2001}, "below 2,000"),
        ({"outcome": "second", "reason": "be\x00cause"}, "Null"),
        ({"outcome": "settled", "reason": "because", "revision": "1"}, "Not marked yet"),
        ({"outcome": "second", "reason": "because", "revision": "x"}, "whole number"),
        ({"outcome": "second", "reason": "because", "revision": "7"}, "has graded this one"),
    ],
)
def test_bad_input_is_told_and_what_was_typed_comes_back(world, twice, browser, data, sentence):
    kept = twice(FULL, LOW)
    response = browser(world.instructor).post(url(world, "double-reading-settle", kept.pk), data)
    assert response.status_code == 422
    page = response.content.decode()
    assert sentence in page
    assert f"required>{data.get('reason', '')}</textarea>" in page
    assert not DoubleReading.objects.get().outcome


def test_marks_that_are_no_numbers_are_told(world, twice, browser):
    kept = twice(FULL, LOW)
    item = kept.marks.first().item_id
    data = {"outcome": "settled", "reason": "because", "revision": "1", f"item-{item}": "<b>two</b>"}
    page = browser(world.instructor).post(url(world, "double-reading-settle", kept.pk), data).content.decode()
    assert "please give points as a number" in page
    assert "<b>two</b>" not in page
    assert "&lt;b&gt;two&lt;/b&gt;" in page


def test_what_people_wrote_is_shown_and_runs_nowhere(world, reading, other_ta, browser):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    work = summary(reading, world.student, {"problem": evil})
    reviewed(work, world.ta, comment=evil)
    reviewed(work, other_ta, 0, 0, 0, 0, 0, 0, purpose="second", comment=evil)
    page = read(browser(world.instructor), url(world, "double-reading", work.double_reading.pk))
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


def test_more_pairs_and_graders_ask_no_more_questions(world, twice, browser):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            read(browser(world.instructor), url(world))
        return len(queries)

    twice(FULL, LOW)
    twice(FULL, FULL)
    few = asked()
    for number in range(6):
        readers = (person(world.offering, "ta", name=f"Grader {number}"), world.ta)
        twice(*MIXED, by=readers)
        other = ReadingFactory(assignment__offering=world.offering).assignment
        reviewed(summary(other, person(world.offering)), world.ta)
    assert asked() == few


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [
        (0.5, "0.50", "+0.50"),
        (-0.25, "−0.25", "−0.25"),
        (-0.001, "0.00", "0.00"),
        (0.001, "0.00", "0.00"),
        (None, "–", "–"),
    ],
)
def test_numbers_are_told_without_a_negative_zero(value, plain, with_sign):
    assert (decimals(value), signed(value)) == (plain, with_sign)


def test_charts_say_in_words_what_they_show():
    effect = Effect(6, -0.5, Interval(-1.25, 0.25))
    assert "Ada: −0.50 points, likely −1.25 to +0.25" in effect_chart(effect, 2.0, "Ada")
    assert effect_chart(Effect(0, None, None), 2.0, "Ada") == ""
    assert 'cx="37.50%"' in effect_chart(effect, 2.0, "Ada")
    assert "&lt;b&gt;" in effect_chart(effect, 2.0, "<b>")
