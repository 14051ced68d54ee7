"""A class that checks in at the same moment: each student a thread with a connection of its own, and every one of them taps twice.

As a program it does so on the PostgreSQL server that `GRADLAB_DATABASE_URL` names, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STUDENTS = 60


@dataclass(frozen=True)
class Crowd:
    """Students in a session whose check-in is open, and one of its staff."""

    session: Any
    students: list[Any]
    ta: Any


def a_class() -> Crowd:
    """Sixty students, and a check-in that stays open for an hour."""
    from tests.factories import SessionFactory, check_in_window, person

    session = SessionFactory()
    check_in_window(session, minutes=60, every_s=600)
    return Crowd(session, [person(session.offering) for _ in range(STUDENTS)], person(session.offering, "ta"))


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """What each call gave when all began at the same moment: its value, or the exception that it ended with."""
    from django.db import connection

    start, done = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        start.wait()
        try:
            done[place] = call()
        except Exception as error:  # noqa: BLE001 - told to the test, which wants none
            done[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def taps(crowd: Crowd) -> list[Callable[[], int]]:
    """Two taps of each student, as their browsers send them."""
    from django.test import Client
    from django.urls import reverse

    from attendance.codes import code_at
    from config import clock

    code = code_at(crowd.session.check_in_windows.get(), clock.now())
    url = reverse("check-in", args=[crowd.session.offering.slug])
    calls = []
    for student in crowd.students:
        phone = Client()
        phone.force_login(student.user)
        cookies = phone.cookies.output(header="", sep=";")
        calls += [lambda cookies=cookies: _tap(cookies, url, code)] * 2
    return calls


def _tap(cookies: str, url: str, code: str) -> int:
    from django.test import Client

    finger = Client()
    finger.cookies.load(cookies)
    return finger.post(url, {"code": code}).status_code


def rows(crowd: Crowd) -> list[tuple[int, str]]:
    """Who is recorded as what in the session."""
    return sorted(crowd.session.attendances.values_list("enrollment_id", "presence"))


def records(crowd: Crowd) -> list[Callable[[], Any]]:
    """Staff who record the whole class as present while it checks in."""
    from attendance.models import Presence
    from attendance.records import record_presence

    asked = {"sessions": [crowd.session], "enrollments": crowd.students, "presence": Presence.PRESENT}
    return [lambda: record_presence(**asked, reason="roll call", by=crowd.ta.user)]


def closing() -> dict[str, Any]:
    """The first student is in, and not yet stored, when staff close a check-in in which they see nobody."""
    from django.db import connection, transaction

    from attendance.check_in import check_in
    from attendance.codes import code_at
    from attendance.windows import close_window
    from config import clock

    crowd = a_class()
    code = code_at(crowd.session.check_in_windows.get(), clock.now())
    tapped, closed = threading.Event(), threading.Event()

    def tap() -> str:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                check_in(enrollment=crowd.students[0], code=code, address="10.0.0.1")
                tapped.set()
                waits = False
                while not (waits or closed.is_set()):
                    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    waits = cursor.fetchone()[0] > 0
        finally:
            tapped.set()
        return "in"

    def close() -> bool:
        tapped.wait()
        try:
            return close_window(session=crowd.session, by=crowd.ta.user) is not None
        finally:
            closed.set()

    return {"done": [str(one) for one in at_once([tap, close])], "rows": rows(crowd), "first": crowd.students[0].pk}


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from django.conf import settings
    from django.test.utils import setup_test_environment

    setup_test_environment()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    crowd = a_class()
    done = at_once(taps(crowd))
    after = rows(crowd)
    other = a_class()
    both = at_once([*taps(other), *records(other)])
    told = {
        "statuses": Counter(map(str, done)),
        "rows": after,
        "expected": [student.pk for student in crowd.students],
        "with staff": Counter(str(one) for one in both[:-1]),
        "staff": repr(both[-1]),
        "rows with staff": rows(other),
        "closing": closing(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
