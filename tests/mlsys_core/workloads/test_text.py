"""The text is the one that was checked, and its codes and windows are what they say."""

from __future__ import annotations

import hashlib
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.workloads import text
from mlsys_core.workloads.text import Vocabulary


@pytest.fixture(scope="module")
def plays():
    return text.load()


def test_the_text_is_the_one_that_was_checked_and_says_where_it_comes_from(plays):
    data = text.PATH.read_bytes()
    assert hashlib.sha256(data).hexdigest() == text.SHA256
    assert len(data) == len(plays) < 1_200_000
    assert "public domain" in (text.PATH.parent / "LICENCE.md").read_text()


def test_the_text_is_made_of_65_characters_and_holds_what_everyone_knows(plays):
    assert len(Vocabulary.of(plays)) == 65
    for line in ("To be, or not to be: that is the question:", "Friends, Romans, countrymen, lend me your ears;"):
        assert plays.count(line) == 1


def test_no_markup_is_left(plays):
    assert not set("*_#\\<>|`") & set(plays)
    assert plays.count("[") == plays.count("]")
    assert not any(line != line.rstrip() for line in plays.splitlines())


def test_numpy_sees_the_codes_that_the_vocabulary_gives(plays):
    """numpy.unique numbers the characters by itself."""
    characters, codes = np.unique(np.array(list(plays[:50_000])), return_inverse=True)
    vocabulary = Vocabulary.of(plays[:50_000])
    assert vocabulary.characters == "".join(characters)
    assert np.array_equal(vocabulary.encode(plays[:50_000]), codes)


@given(st.text(min_size=1, max_size=60), st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_what_is_encoded_is_decoded_and_strangers_are_refused(known, other):
    vocabulary = Vocabulary.of(known)
    assert vocabulary.decode(vocabulary.encode(known)) == known
    if set(other) <= set(known):
        assert vocabulary.decode(vocabulary.encode(other)) == other
    else:
        with pytest.raises(ValueError, match="vocabulary has no"):
            vocabulary.encode(other)


@given(st.integers(2, 400), st.floats(0.01, 0.99))
@settings(max_examples=50, deadline=None)
def test_a_split_loses_nothing_and_shares_nothing(length, held_out):
    codes = np.arange(length)
    seen, unseen = text.split(codes, held_out)
    assert np.array_equal(np.concatenate([seen, unseen]), codes)
    assert abs(len(unseen) - held_out * length) <= 0.5
    with pytest.raises(ValueError, match="between 0 and 1"):
        text.split(codes, 1.0)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_targets_are_the_next_characters_of_windows_in_the_text(batch, time, extra, seed):
    codes = np.arange(time + extra) * 3
    for tokens, targets in text.batches(codes, batch, time, 3, seed):
        assert tokens.shape == targets.shape == (batch, time)
        assert np.array_equal(targets, tokens + 3), "the codes rise by 3, so the next is 3 more"
        assert tokens.min() >= 0
        assert targets.max() <= codes[-1]


def test_windows_are_drawn_by_the_seed_and_reach_both_ends():
    codes = np.arange(12)
    first, again, other = (list(text.batches(codes, 4, 5, 40, seed)) for seed in (1, 1, 2))
    assert all(
        np.array_equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True)
    )
    assert any(not np.array_equal(one[0], two[0]) for one, two in zip(first, other, strict=True))
    starts = {int(tokens[i, 0]) for tokens, _ in first for i in range(4)}
    assert starts == set(range(7)), "the last window ends with the text"


def test_a_text_shorter_than_a_window_is_refused():
    assert len(list(islice(text.batches(np.arange(6), 1, 5, 2), 2))) == 2
    with pytest.raises(ValueError, match="needs 6 characters"):
        next(text.batches(np.arange(5), 1, 5, 1))


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_windows_of_a_step_do_not_depend_on_how_many_follow(steps, more, seed):
    """So a run can be made longer, or begun again in the middle."""
    codes = np.arange(50)
    short, long = (list(text.batches(codes, 2, 7, count, seed)) for count in (steps, steps + more))
    assert len(long) == steps + more
    for one, two in zip(short, long[:steps], strict=True):
        assert np.array_equal(one[0], two[0])
        assert np.array_equal(one[1], two[1])
