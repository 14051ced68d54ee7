"""Several graders at the same moment never get the same submission, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from reviews.marking.models import Claim, Review
from tests.platform.reviews.queue import racing
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.django_db(transaction=True)
def test_graders_who_ask_at_once_share_the_work(files_dir):
    reading, graders = racing.a_class()
    done = racing.grade_all(reading, graders)
    one_by_one = [pk for grader in done for pk in grader]
    assert len(one_by_one) == len(set(one_by_one)) == racing.STUDENTS
    assert set(Review.objects.values_list("revision", flat=True)) == {1}
    assert not Claim.objects.exists()


def test_the_same_on_postgresql(tmp_path):
    enable_socket()
    with Postgres(durable=False) as postgres:
        environment = os.environ | {
            "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
            "GRADLAB_DATABASE_URL": postgres.url,
            "GRADLAB_DATA_DIR": str(tmp_path),
            "GRADLAB_DEMO": "1",
        }
        ran = subprocess.run(
            [sys.executable, racing.__file__], env=environment, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stderr[-3000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    one_by_one = [pk for grader in told["done"] for pk in grader]
    assert len(one_by_one) == len(set(one_by_one)) == racing.STUDENTS
    assert set(told["revisions"]) == {1}
    assert told["claims"] == 0
    assert sum(map(bool, told["done"])) > 1  # otherwise nobody raced
