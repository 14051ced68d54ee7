"""`--shake SEED`: each test finds the database's numbers, and the factories', somewhere else.

What a test made gets the numbers after those of the tests before it in its process. A test that holds for some numbers alone (an order by
number, a number of one table taken for another's, a slug that a factory comes to by counting) passes for months and fails in one run of
many. Shaken, it fails within two or three.
"""

from __future__ import annotations

from random import Random

import factory
import pytest
from django.db import connection
from django.test import TestCase, TransactionTestCase

from accounts.models import User
from tests import factories

# a jump to a number with one digit more is where text sorts otherwise than numbers
JUMPS = (0, 1, 5, 8, 60, 93, 97, 500, 990, 996)
BEGINNINGS = (0, 7, 8, 96, 98, 995, 998)
CONTENT_TYPES = ("django_", "auth_")  # made by migrations, and cached by Django with their numbers


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.addoption("--shake", metavar="SEED", help="begin numbers elsewhere in each test, as this seed draws")


def pytest_configure(config: pytest.Config) -> None:
    """Shake once a test's transaction, or its flushed database, is there."""
    if (seed := config.getoption("--shake")) is not None:
        shaker = _Shaker(seed)
        config.pluginmanager.register(shaker)
        for kind in (TestCase, TransactionTestCase):
            shaker.shake_after_setup(kind)


class _Shaker:
    """A test's draws depend on the seed and its name, so that it fails again where it runs alone."""

    def __init__(self, seed: str) -> None:
        self._seed, self._test = seed, ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Which test comes."""
        self._test = item.nodeid

    def shake_after_setup(self, kind: type[TransactionTestCase]) -> None:
        """Draw when Django has prepared the database for a test."""
        prepare = kind.__dict__["_fixture_setup"].__func__

        def prepare_and_shake(cls: type[TransactionTestCase]) -> None:
            prepare(cls)
            draws = Random(f"{self._seed} {self._test}")
            _shake_tables(draws)
            if not User.objects.exists():  # else a file's tests share what was made before them
                _shake_factories(draws)

        kind._fixture_setup = classmethod(prepare_and_shake)


def _shake_tables(draws: Random) -> None:
    """SQLite's counters, of every table that counts by itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'")
        tables = [name for (name,) in cursor.fetchall() if not name.startswith(CONTENT_TYPES)]
        for table in tables:
            cursor.execute(f'SELECT COALESCE(MAX(rowid), 0) FROM "{table}"')
            last = cursor.fetchone()[0] + draws.choice([*JUMPS, draws.randrange(2000)])
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])


def _shake_factories(draws: Random) -> None:
    for made in vars(factories).values():
        if isinstance(made, type) and issubclass(made, factory.Factory) and made.__module__ == factories.__name__:
            made.reset_sequence(draws.choice([*BEGINNINGS, draws.randrange(3000)]))
