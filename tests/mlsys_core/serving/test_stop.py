"""A stop sequence ends the output where it first appears, and no part of it is ever sent."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.serving.stop import StopWatch

TOKENS = st.lists(st.integers(0, 2), max_size=14)
STOPS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), max_size=3)


def first_end(tokens, stops):
    """How many tokens are sent and how many are read, by looking at every beginning."""
    for end in range(1, len(tokens) + 1):
        for stop in stops:
            if tokens[:end][-len(stop) :] == stop:
                return end - len(stop), end
    return len(tokens), None


@settings(deadline=None, max_examples=300)
@given(TOKENS, STOPS)
def test_what_is_sent_is_what_comes_before_the_first_stop_sequence(tokens, stops):
    watch, sent, stopped = StopWatch(stops), [], False
    kept, end = first_end(tokens, stops)
    for place, token in enumerate(tokens, start=1):
        released, stopped = watch.push(token, place)
        sent += released
        held = place - len(sent)
        if not stopped:
            could = [n for n in range(1, 4) for stop in stops if len(stop) > n and tokens[:place][-n:] == stop[:n]]
            assert held == max(could, default=0), "no token waits longer than it must"
        if stopped:
            assert place == end
            break
    sent += [] if stopped else watch.flush()
    assert stopped == (end is not None)
    assert [token for token, _ in sent] == tokens[:kept]
    assert [place for _, place in sent] == list(range(1, kept + 1)), "each token keeps what came with it"
