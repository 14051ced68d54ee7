"""Codes: what they look like, when they change, and which are taken."""

from __future__ import annotations

import hmac
from collections import Counter
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attendance.codes import (
    ALPHABET,
    CODES,
    changes_at,
    code_at,
    code_of,
    is_code,
    new_secret,
    shown_at,
    spaced,
    step_at,
    tidy,
)
from attendance.finding import CheckInRefused, find
from tests.factories import OfferingFactory, SessionFactory
from tests.platform.attendance.conftest import START


def refusal(room, code, moment):
    with pytest.raises(CheckInRefused) as told:
        find(room.offering, code, moment)
    return str(told.value)


def test_a_code_is_an_hmac_in_base_20():
    number = int(hmac.new(b"secret", (7).to_bytes(8, "big"), sha256).hexdigest(), 16)
    letters = []
    for _ in range(6):
        letters.append(ALPHABET[number % 20])
        number //= 20
    assert code_of("secret", 7) == "".join(letters)


def test_no_letter_can_be_taken_for_another_and_no_code_is_a_word():
    assert len(set(ALPHABET)) == 20
    assert not set(ALPHABET) & set("AEIOUL0123456789")


def test_codes_are_spread_evenly():
    made = [code_of("secret", step) for step in range(4000)]
    assert len(set(made)) == 4000
    for place in range(6):
        seen = Counter(code[place] for code in made)
        assert set(seen) == set(ALPHABET)
        assert max(seen.values()) < 2 * min(seen.values())


def test_secrets_are_long_and_never_the_same():
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(secret) for secret in made} == {64}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=20))
def test_whatever_is_typed_is_a_code_or_it_is_not(text):
    assert is_code(tidy(text)) == (len(tidy(text)) == 6 and all(letter in ALPHABET for letter in tidy(text)))


def test_case_spaces_and_hyphens_do_not_matter():
    assert tidy(" bcd-fgh\n") == tidy("BCD FGH") == "BCDFGH"
    assert spaced("BCDFGH") == "BCD FGH"


def test_guessing_is_as_hopeless_as_the_docstring_says(settings):
    tries = (75 * 60 // settings.CHECK_IN_WINDOW_S + 1) * settings.CHECK_IN_TRIES
    assert tries == 160
    assert CODES == 64_000_000
    assert 5_800 < CODES / 2 / (34 * tries) < 5_900


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "step"), [(0, 0), (19.999, 0), (20, 1), (39.999, 1), (40, 2), (599.999, 29)])
def test_the_code_changes_at_the_step_and_the_one_before_is_taken(room, seconds, step):
    window, moment = room.window(), room.after(seconds)
    assert step_at(window, moment) == step
    assert code_at(window, moment) == code_of(window.secret, step)
    assert changes_at(window, moment) == START + timedelta(seconds=20 * (step + 1))
    taken = [number for number in range(32) if _is_taken(room, code_of(window.secret, number), moment)]
    assert taken == [number for number in (step - 1, step) if number >= 0]


def _is_taken(room, code, moment):
    try:
        return find(room.offering, code, moment) is not None
    except CheckInRefused:
        return False


@pytest.mark.django_db
def test_an_old_code_is_told_to_be_old(room):
    window = room.window()
    assert "run out" in refusal(room, code_of(window.secret, 0), room.after(40))


@pytest.mark.django_db
def test_a_code_that_has_not_come_yet_is_wrong(room):
    window = room.window()
    assert "not the code on the screen" in refusal(room, code_of(window.secret, 5), room.after(10))


@pytest.mark.django_db
def test_at_the_second_of_the_end_it_is_closed(room):
    window = room.window(minutes=1)
    last = code_of(window.secret, 2)
    assert find(room.offering, last, room.after(59.999)) == window
    told = refusal(room, last, room.after(60))
    assert told.startswith("The check-in of “AutoDiff” on Tue 3 Feb closed at 15:31:00.")


@pytest.mark.django_db
def test_the_code_of_another_session_is_named(room):
    before = SessionFactory(offering=room.offering, topic="Pipelines", week=2, date=START.date() - timedelta(days=5))
    old = room.window(before, opened_at=START - timedelta(days=5))
    told = refusal(room, code_of(old.secret, 3), room.after(10))
    assert told.startswith("The check-in of “Pipelines” on Thu 29 Jan closed")
    room.window()
    assert refusal(room, code_of(old.secret, 3), room.after(10)) == (
        "That is a code of another session, “Pipelines” on Thu 29 Jan, so it does not count here. Type the one on the screen."
    )


@pytest.mark.django_db
def test_the_code_of_another_course_is_simply_wrong(room):
    elsewhere = room.window(SessionFactory(offering=OfferingFactory()))
    room.window()
    assert "not the code on the screen" in refusal(room, code_at(elsewhere, START), room.after(5))


@pytest.mark.django_db
def test_the_first_window_of_the_same_session_is_old_once_a_second_one_is_open(room):
    first = room.window(minutes=1)
    room.window(opened_at=START + timedelta(minutes=5))
    assert "run out" in refusal(room, code_of(first.secret, 0), room.after(310))


@pytest.mark.django_db
def test_without_a_check_in_no_code_counts(room):
    assert "No check-in is open now" in refusal(room, "BCDFGH", room.after(0))


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "BCDFG", "BCDFGHJ", "AEIOUY", "123456", "ÄÖÜßßß", "BCD\x00GH"])
def test_what_cannot_be_a_code_is_told_what_a_code_is(room, text):
    room.window()
    assert "a code has 6 letters" in refusal(room, tidy(text), room.after(5))


@pytest.mark.django_db
def test_a_wrong_code_is_looked_up_quickly_after_a_term_of_check_ins(room, django_assert_num_queries):
    for n in range(8):
        day = START - timedelta(days=n)
        met = SessionFactory(offering=room.offering, week=10 + n, date=day.date())
        room.window(met, opened_at=day, minutes=75, every_s=5)
    moment = room.after(5)
    with django_assert_num_queries(1):
        refusal(room, "BCDFGH", moment)


def test_a_window_knows_at_which_step_it_showed_a_code(room):
    window = room.window()
    assert shown_at(window, code_of(window.secret, 12)) == 12
    assert shown_at(window, "BCDFGH") is None
