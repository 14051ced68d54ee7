"""Sixty students check in at the same moment, each with two taps: none is lost and none is double, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from attendance.models import CheckInWindow
from attendance.records import Recorded
from attendance.windows import open_window
from tests.platform.attendance import racing
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[3]
EACH_TWICE = 2 * racing.STUDENTS


@pytest.mark.django_db(transaction=True)
def test_a_class_that_checks_in_at_once_is_all_in():
    crowd = racing.a_class()
    assert racing.at_once(racing.taps(crowd)) == [302] * EACH_TWICE
    assert racing.rows(crowd) == [(student.pk, "present") for student in crowd.students]


@pytest.mark.django_db(transaction=True)
def test_staff_who_record_the_class_at_the_same_moment_lose_nobody():
    crowd = racing.a_class()
    *statuses, staff = racing.at_once([*racing.taps(crowd), *racing.records(crowd)])
    assert statuses == [302] * EACH_TWICE
    assert isinstance(staff, Recorded)
    assert racing.rows(crowd) == [(student.pk, "present") for student in crowd.students]


@pytest.mark.django_db(transaction=True)
def test_two_who_open_the_check_in_at_once_open_one():
    crowd = racing.a_class()
    CheckInWindow.objects.all().delete()
    opening = [lambda: open_window(session=crowd.session, minutes=10, by=crowd.ta.user).pk] * 6
    assert len(set(racing.at_once(opening))) == 1
    assert CheckInWindow.objects.count() == 1


def test_the_same_on_postgresql(tmp_path):
    enable_socket()
    with Postgres(durable=False) as postgres:
        environment = os.environ | {
            "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
            "GRADLAB_DATABASE_URL": postgres.url,
            "GRADLAB_DATA_DIR": str(tmp_path),
            "GRADLAB_DEMO": "1",
            "GRADLAB_DATABASE_POOL": "40",  # the server has 100 connections, and 121 threads want one
        }
        ran = subprocess.run(
            [sys.executable, racing.__file__], env=environment, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stderr[-3000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["statuses"] == told["with staff"] == {"302": EACH_TWICE}
    assert told["rows"] == [[pk, "present"] for pk in sorted(told["expected"])]
    assert "Recorded(" in told["staff"]
    assert [presence for _, presence in told["rows with staff"]] == ["present"] * racing.STUDENTS
