"""A process's connections to PostgreSQL, where it keeps some: a database that was away is found again within seconds.

An attempt to connect that fails is repeated after one second, then two, four and so on, up to minutes: a database that was away for
half a minute would be missed for as long again by people who look at a page that says so. So an attempt ends after `RECONNECT_S`, and
the next one begins with short waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

RECONNECT_S = 7.0  # tries after 0, 1, 3 and 7 s: none is later than 4 s after the one before
WAIT_S = 20.0  # of a request, for a connection that is free


def options(size: int) -> dict[str, Any]:
    """What a pool of at most `size` connections is made with."""
    return {
        "min_size": 1,
        "max_size": size,
        "timeout": WAIT_S,
        "reconnect_timeout": RECONNECT_S,
        "reconnect_failed": begin_anew,
    }


def begin_anew(pool: ConnectionPool[Any]) -> None:
    """Try on at once. A pool that has given up does not try before the next request, and forgets those that wait already."""
    least, most = pool.min_size, pool.max_size
    pool.resize(0, most)  # growing from nothing is what makes it connect
    pool.resize(least, most)
