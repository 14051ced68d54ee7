"""Two teammates at the same moment: every attempt is there, once, with a number of its own and whole. SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from tests.platform.projects.deliverables import racing


def hold(told: dict) -> None:
    """What must be true of every round."""
    assert len(told["attempts"]) == racing.ROUNDS
    for one in told["attempts"]:
        assert one == {"numbers": [1, 2, 3, 4], "authors": [2, 2, 2, 2]}
    assert told["clicks"] == [1] * racing.ROUNDS
    assert told["leaving"] == [True] * racing.ROUNDS


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("files_dir")
def test_clicks_of_one_moment_follow_one_another():
    hold(racing.all_of_it())


def test_the_same_on_postgresql(on_postgresql):
    hold(on_postgresql(racing))
