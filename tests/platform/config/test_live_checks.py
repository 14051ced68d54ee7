"""Checks that ask a real database and a real Redis: wrong is an error, away is a warning, both with what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.checks.registry import registry
from django.db import OperationalError, connection

from config import checks, clock, live_checks

pytestmark = pytest.mark.django_db
DEFAULT = {"databases": ["default"]}


def ids(messages) -> list[str]:
    for message in messages:
        assert message.hint, "it says what to do"
    return [message.id for message in messages]


@pytest.mark.usefixtures("world")
class TestVisibility:
    def test_a_message_that_comes_back_before_its_job_can_end_is_an_error(self, settings):
        assert ids(live_checks.visibility_timeout_is_long_enough(**DEFAULT)) == []
        settings.VISIBILITY_TIMEOUT_S = settings.CELERY_TASK_TIME_LIMIT
        assert ids(live_checks.visibility_timeout_is_long_enough(**DEFAULT)) == ["gradlab.E011"]
        settings.VISIBILITY_TIMEOUT_S += 1
        assert ids(live_checks.visibility_timeout_is_long_enough(**DEFAULT)) == []

    def test_the_longest_published_lab_counts(self, world, settings):
        longest = world.lab.lab.summary.max_wall_s
        settings.CELERY_TASK_TIME_LIMIT, settings.VISIBILITY_TIMEOUT_S = 1, longest
        assert ids(live_checks.visibility_timeout_is_long_enough(**DEFAULT)) == ["gradlab.E011"]

    def test_a_lab_longer_than_a_job_may_be_is_told(self, settings):
        settings.GRADING_MAX_JOB_S = 1
        assert ids(live_checks.visibility_timeout_is_long_enough(**DEFAULT)) == ["gradlab.W001"]


class TestRedis:
    def test_no_redis_needs_no_policy(self):
        assert live_checks.redis_never_evicts(**DEFAULT) == []

    def test_a_policy_that_drops_messages_is_an_error(self, live_redis):
        assert live_checks.redis_never_evicts(**DEFAULT) == []
        live_redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert ids(live_checks.redis_never_evicts(**DEFAULT)) == ["gradlab.E012"]
        finally:
            live_redis.config_set("maxmemory-policy", "noeviction")

    def test_a_redis_that_is_away_is_a_warning(self, settings, tmp_path):
        settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
        assert ids(live_checks.redis_never_evicts(**DEFAULT)) == ["gradlab.W002"]


class TestClock:
    @pytest.mark.parametrize(
        ("seconds", "found"), [(0, []), (2, []), (-2, []), (10, ["gradlab.E013"]), (-3600, ["gradlab.E013"])]
    )
    def test_clocks_that_do_not_agree_are_an_error(self, monkeypatch, seconds, found):
        """The database's own time is asked for; this process believes in another."""
        real = clock.now
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=seconds))
        assert ids(live_checks.clocks_agree(**DEFAULT)) == found

    def test_a_demos_shifted_clock_is_not_the_machines(self, settings):
        settings.CLOCK_OFFSET = timedelta(days=-280)
        assert live_checks.clocks_agree(**DEFAULT) == []

    def test_postgresql_is_asked_in_its_own_words(self, postgres_server):
        with psycopg.connect(postgres_server.url) as server:
            server.execute("SET TIME ZONE 'Asia/Tokyo'")
            there = server.execute(live_checks.DATABASE_TIME["postgresql"]).fetchone()[0]
        assert abs(datetime.fromisoformat(there).replace(tzinfo=UTC) - clock.now()) < timedelta(seconds=30)

    def test_a_database_that_is_away_is_a_warning(self, monkeypatch):
        def away(*_):
            raise OperationalError("gone")

        monkeypatch.setattr(connection, "cursor", away)
        assert ids(live_checks.clocks_agree(**DEFAULT)) == ["gradlab.W003"]


def test_nothing_is_asked_where_no_database_is_named(settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    settings.VISIBILITY_TIMEOUT_S = 1
    for check in (
        live_checks.visibility_timeout_is_long_enough,
        live_checks.redis_never_evicts,
        live_checks.clocks_agree,
    ):
        assert check() == check(databases=["other"]) == []


def test_all_are_registered():
    registered = {check.__name__ for check in registry.get_checks()}
    for module in (checks, live_checks):
        own = {name for name, found in vars(module).items() if getattr(found, "__module__", "") == module.__name__}
        public = {name for name in own if callable(getattr(module, name)) and not name.startswith("_")}
        assert public <= registered
    assert run_checks(databases=["default"]) is not None
