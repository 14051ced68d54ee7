"""Letters, against the published example and an independent count of the class."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradebook.book.letters import absolute_letter, letters, relative_letter
from gradebook.book.parts import LetterRule, Policy
from gradebook.presets import LETTERS

RULES = tuple(LetterRule(letter, Fraction(absolute), Fraction(share)) for letter, absolute, share in LETTERS)
ORDER = [rule.letter for rule in RULES]
PUBLISHED = Policy(components=(), letters=RULES, relative_from=1)
scores = st.lists(st.decimals(0, 100, places=2).map(Fraction), min_size=1, max_size=130)


def independent(all_scores: list[Fraction], score: Fraction) -> str:
    """By counting, in integers: the class is put in a row, and the bins are cut off from its top."""
    reached = next((row[0] for row in LETTERS if score >= row[1]), "F")
    place = sum(other > score for other in all_scores)
    ends, end = [], 0
    for _, _, share in LETTERS:
        end += share
        ends.append(end)
    standing = next(letter for letter, end in zip(ORDER, ends, strict=True) if 100 * place < end * len(all_scores))
    return min(reached, standing, key=ORDER.index)


def test_the_published_example():
    """82 points, 33 % of the class below: B+ by the score, B- by the rank, so B+."""
    everyone = [Fraction(82), *[Fraction(90)] * 66, *[Fraction(60)] * 33]
    found = letters(PUBLISHED, dict(enumerate(everyone)))[0]
    assert (found.absolute, found.relative, found.letter, found.won) == ("B+", "B-", "B+", "absolute")


@pytest.mark.parametrize(
    ("score", "letter"), [(95, "A+"), (Fraction("94.999999"), "A"), (50, "D"), (0, "F"), (104, "A+")]
)
def test_a_cutoff_is_reached_exactly(score, letter):
    assert absolute_letter(RULES, Fraction(score)) == letter


def test_the_bins_of_a_hundred_are_the_published_shares():
    counted = [relative_letter(RULES, above=above, size=100) for above in range(100)]
    assert {letter: counted.count(letter) for letter in ORDER} == {letter: share for letter, _, share in LETTERS}


@given(scores)
@settings(max_examples=1000, deadline=None)
def test_a_thousand_classes(everyone):
    found = letters(PUBLISHED, dict(enumerate(everyone)))
    assert [found[key].letter for key in range(len(everyone))] == [independent(everyone, score) for score in everyone]


@given(scores)
@settings(max_examples=200, deadline=None)
def test_ties_share_and_a_better_score_is_never_worse(everyone):
    found = letters(PUBLISHED, dict(enumerate(everyone)))
    ranked = sorted(range(len(everyone)), key=lambda key: everyone[key])
    for worse, better in pairwise(ranked):
        assert ORDER.index(found[better].letter) <= ORDER.index(found[worse].letter)
        if everyone[worse] == everyone[better]:
            assert found[worse].letter == found[better].letter


def test_in_a_small_class_the_absolute_column_stands_alone():
    policy = Policy(components=(), letters=RULES, relative_from=10)
    nine = letters(policy, {key: Fraction(71) for key in range(9)})
    ten = letters(policy, {key: Fraction(71) for key in range(10)})
    assert {(letter.letter, letter.relative) for letter in nine.values()} == {("B-", None)}
    assert {(letter.letter, letter.won) for letter in ten.values()} == {("A+", "relative")}


@pytest.mark.parametrize(
    ("round_to", "letter"), [(None, "A-"), (Decimal("0.1"), "A-"), (Decimal("0.5"), "A"), (1, "A")]
)
def test_rounding_is_half_up_and_comes_before_the_letters(round_to, letter):
    policy = Policy((), RULES, relative_from=10, round_to=Fraction(round_to) if round_to else None)
    assert letters(policy, {1: Fraction("89.75")})[1].letter == letter
