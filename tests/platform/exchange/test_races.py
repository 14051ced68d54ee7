"""The same act several times at the same moment is done once. SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from tests.platform.exchange import racing

ONCE = {"done": 1, "refused": racing.AT_ONCE - 1}


def hold(told: dict) -> None:
    """What must be true of every round."""
    assert told["roster"] == [{"got": ONCE, "acts": 1, "people": 3}] * racing.ROUNDS
    for one in told["newcomer"]:  # who comes second finds the account, or is asked to look again
        assert one["got"]["done"] == one["places"] >= 1
        assert sum(one["got"].values()) == racing.AT_ONCE
    assert told["import"] == [{"got": ONCE, "stood": 1, "stands": 0}] * racing.ROUNDS
    assert told["address"] == [{"got": ONCE, "work": 1, "people": 1}] * racing.ROUNDS


@pytest.mark.django_db(transaction=True)
def test_acts_of_one_moment_follow_one_another(files_dir):
    hold(racing.all_of_it())


def test_the_same_on_postgresql(on_postgresql):
    hold(on_postgresql(racing))
