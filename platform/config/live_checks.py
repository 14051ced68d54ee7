"""System checks that ask the running parts: database and Redis. They run where a service starts, and with `check --database default`.

What is away is a warning, since it may come back; what is there and wrong is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.db import DatabaseError, connection

from config import clock, redis

DATABASE_TIME = {
    "postgresql": "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')",
}


@register(Tags.database)
def visibility_timeout_is_long_enough(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Compare the broker's patience with the longest job: a message must not come twice while its job still runs."""
    from assignments.selectors import longest_wall_s  # noqa: PLC0415 - models are not loaded when checks are registered

    if not _asked(databases):
        return []
    try:
        longest = longest_wall_s()
    except DatabaseError:
        longest = 0.0  # no tables yet
    held = max(longest, settings.CELERY_TASK_TIME_LIMIT)
    if held >= settings.VISIBILITY_TIMEOUT_S:
        return [_visible_too_early(held)]
    return [_job_too_short(longest)] if longest > settings.GRADING_MAX_JOB_S else []


@register(Tags.database)
def redis_never_evicts(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Ask Redis what it does when its memory is full: messages of the queue must not be what it drops."""
    client = redis.client()
    if not _asked(databases) or client is None:
        return []
    try:
        policy = str(client.info("memory").get("maxmemory_policy", "unknown"))
    except redis.Unavailable as error:
        return [_redis_away(error)]
    if policy == "noeviction":
        return []
    return [
        Error(
            f"Redis has the policy {policy}: when its memory is full it drops messages, and jobs wait until the sweeper finds them.",
            hint="Set `maxmemory-policy noeviction` in Redis's configuration, and give it a server or database of its own.",
            id="gradlab.E012",
        )
    ]


@register(Tags.database)
def clocks_agree(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Ask the database for its time: leases and deadlines are moments that several machines must agree on."""
    if not _asked(databases):
        return []
    try:
        before, there, after = _machine_time(), _database_time(), _machine_time()
    except DatabaseError as error:
        return [_database_away(error)]
    skew = max(before - there, there - after, timedelta(0)).total_seconds()
    if skew <= settings.CLOCK_SKEW_MAX_S:
        return []
    return [
        Error(
            f"This machine's clock and the database's are {skew:.0f} s apart, so deadlines would be judged wrongly and two workers could "
            "take one job.",
            hint="Let both machines follow a time server (chrony or systemd-timesyncd), and start again.",
            id="gradlab.E013",
        )
    ]


def _asked(databases: Sequence[str] | None) -> bool:
    return "default" in (databases or ())


def _machine_time() -> datetime:
    """The machine's own, also where a demo's clock is shifted."""
    return clock.now() - settings.CLOCK_OFFSET


def _database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(DATABASE_TIME[connection.vendor])
        return datetime.fromisoformat(cursor.fetchone()[0]).replace(tzinfo=UTC)


def _visible_too_early(held: float) -> Error:
    return Error(
        f"The broker hands a message out again after {settings.VISIBILITY_TIMEOUT_S} s, and a job may run {held:.0f} s: jobs would be "
        "handed to a second worker while the first still runs.",
        hint=f"Set GRADLAB_VISIBILITY_TIMEOUT_S above {held:.0f}, or unset it: the default follows GRADLAB_GRADING_MAX_JOB_S.",
        id="gradlab.E011",
    )


def _job_too_short(longest: float) -> Warning:
    return Warning(
        f"A published lab may run {longest:.0f} s, but jobs are stopped after {settings.GRADING_MAX_JOB_S} s.",
        hint=f"Set GRADLAB_GRADING_MAX_JOB_S to at least {longest:.0f}; the visibility timeout follows it.",
        id="gradlab.W001",
    )


def _redis_away(error: Exception) -> Warning:
    return Warning(
        f"Redis cannot be reached ({error}), so jobs wait, and its eviction policy is not known.",
        hint="Start Redis, or correct GRADLAB_REDIS_URL. Submissions are accepted meanwhile.",
        id="gradlab.W002",
    )


def _database_away(error: Exception) -> Warning:
    return Warning(
        f"The database cannot be asked for its time ({error}), so nothing can be stored or shown.",
        hint="Start the database, or correct GRADLAB_DATABASE_URL.",
        id="gradlab.W003",
    )
