"""Lengths grow as they are paced, cut windows keep every token, and the counts are those of a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.workloads.curriculum import PACINGS, Curriculum


@st.composite
def curricula(draw, *, reshape=None):
    """Any pacing and sizes that fit together."""
    begin, multiple = draw(st.integers(1, 12)), draw(st.sampled_from((1, 2, 4, 8)))
    cuts = draw(st.booleans()) if reshape is None else reshape
    end = begin * draw(st.integers(1, 12)) if cuts else begin + draw(st.integers(0, 90))
    return Curriculum(
        begin, end, draw(st.integers(1, 40)), draw(st.sampled_from(PACINGS)), cuts, multiple, draw(st.integers(1, 6))
    )


@given(curricula())
@settings(max_examples=60, deadline=None)
def test_lengths_begin_and_end_where_they_should_and_stay_within(curriculum):
    lengths = [curriculum.length(step) for step in range(curriculum.steps + 3)]
    assert lengths[0] == curriculum.begin
    assert set(lengths[curriculum.steps :]) == {curriculum.end}
    assert all(curriculum.begin <= length <= curriculum.end for length in lengths)
    inner = set(lengths) - {curriculum.begin, curriculum.end}
    assert all(length % curriculum.multiple == 0 for length in inner)
    if not curriculum.reshape:
        assert lengths == sorted(lengths)


@given(curricula(reshape=True), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_reshaped_windows_keep_every_token_with_its_target(curriculum, batch):
    codes = np.arange(batch * (curriculum.end + 1)).reshape(batch, -1)
    for step in range(curriculum.steps + 1):
        tokens, targets = curriculum.cut(codes[:, :-1], codes[:, 1:], step)
        assert (
            tokens.shape
            == targets.shape
            == (batch * curriculum.end // curriculum.length(step), curriculum.length(step))
        )
        assert np.array_equal(tokens.ravel(), codes[:, :-1].ravel())
        assert np.array_equal(targets.ravel(), codes[:, 1:].ravel())
        assert all(np.array_equal(row, np.arange(row[0], row[0] + len(row))) for row in tokens), "windows are unbroken"


@given(curricula(), st.integers(1, 4), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_tokens_are_counted_as_a_loop_counts_them(curriculum, batch, steps):
    windows = np.zeros((batch, curriculum.end), dtype=np.int64)
    seen = [curriculum.cut(windows, windows, step)[0].size for step in range(steps)]
    assert curriculum.tokens(batch, steps) == sum(seen)
    assert curriculum.steps_for(batch, sum(seen)) == steps
    assert curriculum.steps_for(batch, sum(seen) + 1) == steps + 1


@given(curricula(reshape=False), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_cut_off_windows_begin_where_the_whole_ones_do(curriculum, batch):
    codes = np.arange(batch * curriculum.end).reshape(batch, -1)
    tokens, targets = curriculum.cut(codes, codes + 1, curriculum.steps // 2)
    assert np.array_equal(tokens, codes[:, : curriculum.length(curriculum.steps // 2)])
    assert np.array_equal(targets, tokens + 1)


def test_the_three_pacings_are_a_line_a_root_and_stairs():
    linear, root, stairs = (Curriculum(0 + 1, 101, 100, pacing, multiple=1, stages=4) for pacing in PACINGS)
    assert [linear.length(s) for s in (0, 25, 50, 100)] == [1, 26, 51, 101]
    assert [root.length(s) for s in (0, 25, 49, 100)] == [1, 51, 71, 101]
    assert [stairs.length(s) for s in (0, 24, 25, 74, 75, 99, 100)] == [1, 1, 26, 51, 76, 76, 101]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pacing": "cubic"}, "no pacing 'cubic'"),
        ({"begin": 0}, "grow from at least 1"),
        ({"begin": 65}, "grow from at least 1"),
        ({"steps": 0}, "at least one step"),
        ({"begin": 7, "reshape": True}, "cannot be cut into windows of 7"),
    ],
)
def test_curricula_that_cannot_be_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Curriculum(**({"begin": 8, "end": 64, "steps": 10} | options))


def test_windows_of_another_length_are_refused():
    with pytest.raises(ValueError, match="ends at windows of 64, and these have 32"):
        Curriculum(8, 64, 10).cut(np.zeros((1, 32), dtype=np.int64), np.zeros((1, 32), dtype=np.int64), 3)
