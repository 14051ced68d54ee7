"""How long the gradebook takes for a large class: `PYTHONPATH=platform:. python -m tests.benchmarks.gradebook`.

A class in which everybody has done nearly everything, on a database of its own: labs with several attempts and some overrides, readings
and reports marked by hand, teams, decisions. Prints milliseconds (median by the clock, and of this process's own time, which a busy machine
does not change) and the number of queries of reading the sources, of the arithmetic for everyone, and of the pages as the server answers.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from statistics import median

import django

GOALS = {"recompute of everything": 2000, "scores": 300}


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--postgres", action="store_true", help="on a server of its own instead of SQLite")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GRADLAB_DEMO": "1", "GRADLAB_DATA_DIR": folder, "GRADLAB_HASHED_STATIC": "0"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        if not chosen.postgres:
            _measure(chosen.students, chosen.repeats)
            return
        from tests.postgres import Postgres

        with Postgres() as server:
            os.environ["GRADLAB_DATABASE_URL"] = server.url
            _measure(chosen.students, chosen.repeats)


def _measure(students: int, repeats: int) -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.urls import reverse

    call_command("migrate", verbosity=0)
    from tests.benchmarks.gradebook_class import make

    made = make(students)
    from config.garbage import collect_seldom
    from gradebook.book.grades import grade_class
    from gradebook.sources.collect import collect

    collect_seldom()  # as the web process does
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as a server does by itself within minutes of such a change
    slug, one = made.offering.slug, made.students[students // 2]
    book = collect(made.offering)
    print(f"{connection.vendor}, {students} students, {len(book.parts)} parts, {made.rows} rows behind them")
    _line("reading the sources", repeats, lambda: collect(made.offering))
    _line("arithmetic and letters for everyone", repeats, lambda: grade_class(book))
    _line("recompute of everything", repeats, lambda: grade_class(collect(made.offering)))
    staff, student = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    staff.force_login(made.instructor.user)
    student.force_login(one.user)
    for name, client, args in (
        ("scores", staff, [slug]),
        ("student-grade", staff, [slug, one.pk]),
        ("student-part", staff, [slug, one.pk, book.parts[1].key]),
        ("grades", student, [slug]),
        ("grades-what-if", student, [slug]),
    ):
        url = reverse(name, args=args)
        _line(name, repeats, lambda client=client, url=url: _get(client, url))


def _get(client: object, url: str) -> None:
    response = client.get(url, headers={"accept-encoding": "identity"})  # type: ignore[attr-defined]
    if response.status_code != 200:
        raise RuntimeError(f"{url}: {response.status_code}")


def _line(name: str, repeats: int, act: Callable[[], object]) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    act()
    with CaptureQueriesContext(connection) as asked:
        act()
        queries = len(asked)  # the next request begins a new log
    by_clock, own = [], []
    for _ in range(repeats):
        begun, used = time.perf_counter(), time.process_time()
        act()
        by_clock.append((time.perf_counter() - begun) * 1e3)
        own.append((time.process_time() - used) * 1e3)
    goal = f" (goal <= {GOALS[name]})" if name in GOALS else ""
    print(f"{name}: {median(by_clock):.0f} ms by the clock, {median(own):.0f} ms of its own, {queries} queries{goal}")


if __name__ == "__main__":
    main()
