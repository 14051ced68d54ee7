"""From scores to one number, against an independent sum in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from gradebook.book.components import final_total, rounded, total_so_far
from gradebook.book.parts import ComponentRule, Part, Policy, Score, State

points = st.integers(0, 120).map(lambda tenth: Fraction(tenth, 10))
score = st.builds(Score, st.sampled_from(State), points, st.just(Fraction(12)))
scores = st.lists(st.lists(score, max_size=6), min_size=1, max_size=4)


def offering(by_component, **rule):
    """A policy with one component a list, which weigh 1, 2, 3 …, and the parts and scores of one student."""
    rules = tuple(
        ComponentRule(str(place), f"Component {place}", Fraction(place + 1), **rule)
        for place in range(len(by_component))
    )
    parts, found = [], {}
    for place, column in enumerate(by_component):
        for number, each in enumerate(column):
            part = Part(f"{place}.{number}", "Part", str(place), each.max_points)
            parts.append(part)
            found[part.key] = each
    return Policy(components=rules, letters=()), parts, found


def independent(by_component, counting, drop=0):
    """Weighted means of what counts; of all ways to drop, the best one for the student."""
    above = below = Fraction(0)
    for place, column in enumerate(by_component):
        counted = [
            each.points / each.max_points if each.state is State.GRADED else Fraction(0)
            for each in column
            if each.state in counting
        ]
        if not counted:
            continue
        left = max(len(counted) - drop, 1)
        above += (place + 1) * max(sum(kept) for kept in combinations(counted, left)) / left
        below += place + 1
    return 100 * above / below if below else None


@given(scores, st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_both_scores_equal_an_independent_sum(by_component, drop):
    policy, parts, found = offering(by_component, drop_lowest=drop)
    known = {State.GRADED, State.MISSING}
    assert final_total(policy, parts, found).score == independent(by_component, set(State) - {State.EXCUSED}, drop)
    assert total_so_far(policy, parts, found).score == independent(by_component, known, drop)


@given(scores)
@settings(max_examples=200, deadline=None)
def test_what_the_parts_add_is_the_score(by_component):
    policy, parts, found = offering(by_component)
    for total in (final_total(policy, parts, found), total_so_far(policy, parts, found)):
        added = sum(part.adds for grade in total.components for part in grade.parts)
        assert added == sum(grade.adds for grade in total.components) == (total.score or 0)


@given(scores)
@settings(max_examples=200, deadline=None)
def test_when_all_is_known_both_scores_are_one(by_component):
    settled = [
        [each for each in column if each.state not in {State.UNGRADED, State.NOT_DUE}] for column in by_component
    ]
    policy, parts, found = offering(settled)
    final = final_total(policy, parts, found)
    assert final.score == total_so_far(policy, parts, found).score
    assert final.known == (100 if final.score is not None else 0)


def test_by_points_a_part_counts_as_much_as_it_is_worth():
    columns = [[Score(State.GRADED, Fraction(10), Fraction(10)), Score(State.GRADED, Fraction(0), Fraction(30))]]
    assert final_total(*offering(columns, by_points=True)).score == 25
    assert final_total(*offering(columns)).score == 50


def test_extra_credit_comes_on_top_and_never_takes():
    policy, parts, found = offering([[Score(State.GRADED, Fraction(6), Fraction(12))]])
    bonus = ComponentRule("bonus", "Bonus", Fraction(4), extra_credit=True)
    policy = Policy(components=(*policy.components, bonus), letters=())
    parts = [*parts, Part("bonus", "Bonus", "bonus", Fraction(1))]
    assert final_total(policy, parts, found).score == 50
    assert final_total(policy, parts, found | {"bonus": Score(State.GRADED, Fraction(1), Fraction(2))}).score == 52


def test_excused_work_leaves_its_weight_to_the_others():
    full, half = Score(State.GRADED, Fraction(12), Fraction(12)), Score(State.GRADED, Fraction(6), Fraction(12))
    policy, parts, found = offering([[full], [Score(State.EXCUSED)], [half]])  # weights 1, 2, 3
    total = final_total(policy, parts, found)
    assert total.score == Fraction(100) * (1 + Fraction(3, 2)) / 4
    assert [grade.weight for grade in total.components] == [25, 0, 75]


def test_rounding_half_up():
    assert [rounded(Fraction(value), Fraction(1)) for value in ("89.5", "89.49", "90.5")] == [90, 89, 91]
    assert rounded(Fraction(1, 3), None) == Fraction(1, 3)
