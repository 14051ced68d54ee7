"""Two people at the same moment: the last place is given once, nobody is in two teams, no name is taken twice. SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from tests.platform.projects.teams import racing


def hold(told: dict) -> None:
    """What must be true of every round."""
    assert len(told["rounds"]) == racing.ROUNDS
    for one in told["rounds"]:
        assert one["size"] == 3
        assert one["got"].pop("done") == 1
        assert sum(one["got"].values()) == racing.INVITED - 1
        assert all("is full: it has 3 of at most 3" in sentence for sentence in one["got"])
    assert told["memberships"] == [1] * racing.ROUNDS
    assert told["ends"] == [1] * racing.ROUNDS
    assert told["teams"] == [1] * racing.ROUNDS


@pytest.mark.django_db(transaction=True)
def test_acts_of_one_moment_follow_one_another(files_dir):
    hold(racing.all_of_it())


def test_the_same_on_postgresql(on_postgresql):
    hold(on_postgresql(racing))
