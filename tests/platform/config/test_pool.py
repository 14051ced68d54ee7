"""Connections to a real PostgreSQL server that goes away and comes back."""

from __future__ import annotations

import time
from itertools import pairwise
from threading import Thread

import pytest
from psycopg_pool import ConnectionPool, PoolTimeout
from psycopg_pool.base import AttemptWithBackoff

from config import pool
from tests.postgres import Postgres


@pytest.fixture
def server(socket_enabled):
    with Postgres(durable=False) as started:
        yield started


def asked(connections: ConnectionPool, answers: list[object]) -> None:
    """One request that needs the database."""
    try:
        with connections.connection() as connection:
            answers += connection.execute("SELECT 1").fetchone()
    except PoolTimeout as error:
        answers.append(error)


def test_a_request_that_waits_since_before_it_gave_up_is_served_when_the_database_is_back(server):
    """The attempts here end after a tenth of a second, so that many of them fail before the database is back."""
    short = pool.options(2) | {"reconnect_timeout": 0.1, "check": ConnectionPool.check_connection}
    answers: list[object] = []
    with ConnectionPool(server.url, open=True, **short) as connections:
        asked(connections, answers)
        server.stop()
        waiting = Thread(target=asked, args=(connections, answers))
        waiting.start()
        time.sleep(1.5)
        assert answers == [1]
        server.start()
        waiting.join()
        assert answers == [1, 1]
        assert 1 <= connections.get_stats()["pool_size"] <= 2


def test_no_two_tries_are_far_apart():
    """By the library's own rule, which doubles each wait."""
    attempt, tries = AttemptWithBackoff(timeout=pool.RECONNECT_S), [0.0]
    while not attempt.time_to_give_up(tries[-1]):
        attempt.update_delay(tries[-1])
        tries.append(tries[-1] + attempt.delay)
    assert max(later - earlier for earlier, later in pairwise(tries)) < 4.5
