"""What a scheme must be, and how it is told."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradebook.book.parts import ComponentRule, LetterRule, Policy
from gradebook.numbers import plain
from gradebook.policies.differences import differences
from gradebook.policies.rules import what_is_wrong
from gradebook.policies.spec import ComponentSpec, LetterSpec, SchemeSpec, from_data
from gradebook.policies.words import policy_in_words
from gradebook.presets import COMPONENTS, LETTERS, WEIGHTS
from tests.platform.gradebook.classes import random_scheme


def published(scheme="A", **changes) -> SchemeSpec:
    spec = SchemeSpec(
        tuple(ComponentSpec(kind, name, Decimal(WEIGHTS[scheme][kind]), count) for kind, name, count in COMPONENTS),
        tuple(LetterSpec(letter, Decimal(absolute), Decimal(share)) for letter, absolute, share in LETTERS),
    )
    return msgspec.structs.replace(spec, **changes)


def with_letter(place, **changes):
    letters = list(published().letters)
    letters[place] = msgspec.structs.replace(letters[place], **changes)
    return published(letters=tuple(letters))


def with_component(place, **changes):
    components = list(published().components)
    components[place] = msgspec.structs.replace(components[place], **changes)
    return published(components=tuple(components))


@pytest.mark.parametrize("scheme", ["A", "B"])
def test_the_published_schemes_may_stand(scheme):
    assert what_is_wrong(published(scheme)) == []


@given(st.integers(0, 10_000))
def test_a_random_scheme_may_stand_and_comes_back_from_its_data(seed):
    spec = random_scheme(seed)
    assert what_is_wrong(spec) == []
    assert from_data(spec.to_data()) == spec
    assert differences(spec, from_data(spec.to_data())) == ()


def test_weights_that_do_not_add_up_are_refused_with_the_sum_and_every_part():
    (wrong,) = what_is_wrong(with_component(3, weight=Decimal(15)))
    assert "add up to 101, not 100" in wrong.sentence
    for part in ("participation 20", "Lab assignments 21", "presentation 15", "Project proposal 5", "Final report 15"):
        assert part in wrong.sentence


def test_extra_credit_stands_outside_the_hundred():
    bonus = ComponentSpec("own-bonus", "Bonus", Decimal(4), extra_credit=True)
    assert what_is_wrong(published(components=(*published().components, bonus))) == []
    assert "without extra credit" in what_is_wrong(with_component(0, extra_credit=True))[0].sentence


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (with_letter(1, absolute=Decimal(95)), "A begins at 95, which is not below A+ at 95"),
        (with_letter(10, absolute=Decimal(1)), "so F begins at 0"),
        (with_letter(0, share=Decimal(6)), "shares of the class add up to 101, not 100: A+ 6, A 10"),
        (with_letter(0, share=Decimal(-5)), "between 0 and 100 percent"),
        (with_letter(0, letter="A"), "The letter A is there twice"),
        (with_letter(0, letter="A++"), "keep the name to 2 characters"),
        (published(letters=()), "at least one letter"),
        (published(components=()), "at least one component"),
        (with_component(0, name=""), "give it a name"),
        (with_component(0, name="lab assignments"), "Two components are called"),
        (with_component(0, kind="labs"), "there twice"),
        (with_component(0, weight=Decimal("20.001")), "at most two decimals"),
        (with_component(0, drop_lowest=51), "Between 0 and 50"),
        (published(relative_from=0), "between 1 and 10,000"),
        (published(round_to=Decimal(0)), "between 0.01 and 10"),
        (published(round_to=Decimal("0.001")), "between 0.01 and 10"),
        (published(round_to=Decimal("0.125")), "at most two decimals"),
    ],
)
def test_what_is_wrong_is_said(spec, sentence):
    assert any(sentence in wrong.sentence for wrong in what_is_wrong(spec))


def test_a_score_that_is_not_reached_is_never_shown_as_reached():
    assert [plain(Fraction(value)) for value in ("89.999", "90", "0.1", "20.00")] == ["89.999", "90", "0.1", "20"]
    assert plain(Decimal("12.50")) == "12.5"


@given(st.fractions(0, 100))
def test_a_number_looks_whole_only_where_it_is(value):
    assert abs(value - Fraction(plain(value))) <= Fraction(1, 200)
    assert "." in plain(value) or Fraction(plain(value)) == value or abs(value - round(value)) < Fraction(1, 10**5)


def test_the_policy_is_told_in_words():
    told = " ".join(policy_in_words(published(round_to=Decimal("0.5")).policy))
    for part in ("Lab assignments 21 %", "counts zero", "extension", "excused", "You get the better one", "same score"):
        assert part in told
    assert "rounded to multiples of 0.5 before, half up" in told
    assert "fewer than 10 students" in told


def test_rules_of_single_components_are_told():
    rules = (
        ComponentRule("labs", "Labs", Fraction(60), drop_lowest=1, by_points=True),
        ComponentRule("readings", "Readings", Fraction(40), drop_lowest=2),
        ComponentRule("own-b", "Bonus", Fraction(3), extra_credit=True),
    )
    told = policy_in_words(Policy(rules, (LetterRule("A", Fraction(0), Fraction(100)),), relative_from=1))
    assert "The score is a percentage: Labs 60 % and Readings 40 %." in told
    assert "Bonus is extra credit: it adds up to 3 % and takes nothing." in told
    assert any(line.startswith("Parts count by their points in Labs;") for line in told)
    assert "In Labs the lowest part does not count; one always does." in told
    assert "In Readings the 2 lowest parts do not count; one always does." in told
    assert policy_in_words(Policy((), ())) == ("The weights are not set yet, so there is no score.",)


def test_differences_are_told_one_by_one():
    other = published("B", relative_from=12, round_to=Decimal(1), show_letters=True)
    assert differences(published(), other) == (
        "Final research project presentation weighs 15 % instead of 14 %.",
        "Final report weighs 14 % instead of 15 %.",
        "The rank counts from 12 students on, before from 10.",
        "Before the letters scores are rounded to 1; before, not rounded.",
        "Students see letters before the grades are final.",
    )
