"""The last minute before a deadline: `make bench-deadline`.

Every student signs in before the clock runs (a session written to the database: a sign-in costs one argon2 hash, on purpose, and is
not what is measured here). Then each presses *Submit* three times at random moments; one in ten presses twice. Web, grading, database,
Redis and this load share the machine's cores. What the browsers were told is then held against the database, read by plain SQL, and
against the files on the disk.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from . import table
from .growth import SIZES, growth
from .installation import Database, installation
from .rush import Plan, rush

WEB_WORKERS = {Database.POSTGRES: 2, Database.SQLITE: 1}
PARTS = ("rush", "growth")
STUDENTS = {Database.POSTGRES: 600, Database.SQLITE: 40}


def main() -> None:
    """Prints Markdown: a table for each database, and one of how response times grow with the number of stored students."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--database", nargs="+", type=Database, choices=list(Database), default=list(Database))
    parser.add_argument("--students", type=int, help="default 600 on PostgreSQL, 40 on SQLite")
    parser.add_argument("--each", type=int, default=3, help="submissions of a student (default 3)")
    parser.add_argument("--seconds", type=float, default=60.0, help="within which they hand in (default 60)")
    parser.add_argument(
        "--patience", type=float, default=1200.0, help="seconds to wait for the last score (default 1200)"
    )
    parser.add_argument(
        "--watch", action="store_true", help="all that a browser does lies within the rush, not the presses alone"
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="stored students, for the growth")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended then too
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start. {SIGNED_IN}", flush=True)
    for database in chosen.database:
        if "rush" in chosen.parts:
            plan = Plan(
                chosen.students or STUDENTS[database], chosen.each, chosen.seconds, chosen.patience, chosen.watch
            )
            with installation(database, web_workers=WEB_WORKERS[database]) as place:
                print("", *table.rush_lines(database, plan, rush(place, plan)), sep="\n", flush=True)
        if "growth" in chosen.parts:
            with installation(database, web_workers=WEB_WORKERS[database], grading=False) as place:
                print("", *table.growth_lines(chosen.sizes, growth(place, chosen.sizes)), sep="\n", flush=True)


SIGNED_IN = "All sessions were written before the clock ran, so no sign-in (one argon2 hash each) is in these numbers."

if __name__ == "__main__":
    main()
