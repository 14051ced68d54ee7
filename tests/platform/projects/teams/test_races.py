"""Two people at the same moment: the last place is given once, nobody is in two teams, no name is taken twice. SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from tests.platform.projects.teams import racing
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[4]


def hold(told: dict) -> None:
    """What must be true of every round."""
    assert len(told["rounds"]) == racing.ROUNDS
    for one in told["rounds"]:
        assert one["size"] == 3
        assert one["got"].pop("done") == 1
        assert sum(one["got"].values()) == racing.INVITED - 1
        assert all("is full: it has 3 of at most 3" in sentence for sentence in one["got"])
    assert told["memberships"] == [1] * racing.ROUNDS
    assert told["ends"] == [1] * racing.ROUNDS
    assert told["teams"] == [1] * racing.ROUNDS


@pytest.mark.django_db(transaction=True)
def test_acts_of_one_moment_follow_one_another(files_dir):
    hold(racing.all_of_it())


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
    hold(json.loads(ran.stdout.splitlines()[-1]))
