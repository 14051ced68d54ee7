"""The editor's form: whatever is typed comes back, what is meant is read, what is wrong has its field."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from gradebook.policies.checks import check
from gradebook.policies.spec import from_data
from gradebook.policies.typed import TypedScheme, act_on, from_post, from_spec, own_kind
from tests.platform.gradebook.classes import random_scheme
from tests.platform.gradebook.policies.test_rules import published


def post(fields) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in fields:
        data.appendlist(name, value)
    return data


@given(st.integers(0, 10_000))
def test_a_scheme_survives_the_way_through_the_form(seed):
    spec = random_scheme(seed)
    typed = from_spec(spec, 7)
    assert from_post(post(typed.fields())) == typed
    assert check(typed, spec).spec == spec


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["component", "labs-weight", "labs-name", "letters-letter", "letters-share", "revision", "x"]
            ),
            st.text(max_size=12),
        ),
        max_size=12,
    ),
    st.text(max_size=12),
)
def test_whatever_comes_is_answered(fields, act):
    typed = from_post(post(fields))
    assert isinstance(act_on(typed, act), TypedScheme)
    check(typed, published())


def test_presets_are_one_press():
    typed = from_spec(published("A"), 0)
    assert check(act_on(typed, "preset:B"), published("A")).spec == published("B")


def test_a_preset_brings_back_what_it_needs_and_empties_what_it_does_not_know():
    typed = act_on(act_on(from_spec(published("A"), 0), "remove:labs"), "add")
    typed = act_on(typed, "preset:A")
    assert {row.uid: row.weight for row in typed.components}["labs"] == "21"
    assert {row.uid: row.weight for row in typed.components}["new1"] == "0"


def test_letters_are_added_and_removed_in_their_place():
    typed = from_spec(published(), 0)
    more = act_on(typed, "add-letter:1")
    assert [row.letter for row in more.letters][:3] == ["A+", "", "A"]
    assert act_on(more, "remove-letter:1") == typed
    assert act_on(act_on(typed, "remove-letter:0"), "letters") == typed
    assert act_on(typed, "remove-letter:99") == act_on(typed, "add-letter:x") == typed


def test_a_new_component_gets_a_kind_of_its_own_by_its_name():
    typed = act_on(from_spec(published(), 0), "add")
    rows = [*typed.components]
    rows[-1] = type(rows[-1])(uid="new1", name="Bonus work!", weight="4", extra=True)
    spec = check(TypedScheme(0, tuple(rows), typed.letters), published()).spec
    assert spec.components[-1].kind == "own-bonus-work"
    assert own_kind("Bonus work!", {"own-bonus-work"}) == "own-bonus-work-2"
    assert own_kind("***", set()) == "own"
    assert from_data(spec.to_data()) == spec


@pytest.mark.parametrize("text", ["", "x", "1e5", "NaN", "Infinity", "１２", "--1", "1" * 30, "1.0000001"])
def test_what_is_no_number_is_said_at_its_field(text):
    rows = [*from_spec(published(), 0).components]
    rows[1] = type(rows[1])(uid="labs", name="Labs", weight=text)
    found = check(TypedScheme(0, tuple(rows), from_spec(published(), 0).letters), published())
    assert found.spec is None
    assert found.errors == {"labs-weight": "Give a number, such as 20 or 12.5."}


def test_a_comma_is_a_point():
    rows = [*from_spec(published(), 0).components]
    rows[1] = type(rows[1])(uid="labs", name="Labs", weight="20,5")
    rows[2] = type(rows[2])(uid="readings", name="Readings", weight="20.5")
    spec = check(TypedScheme(0, tuple(rows), from_spec(published(), 0).letters), published()).spec
    assert spec.components[1].weight == Decimal("20.5")
    assert spec.components[1].count == 3
