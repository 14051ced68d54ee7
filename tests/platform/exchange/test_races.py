"""The same act several times at the same moment is done once. SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from tests.platform.exchange import racing
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[3]
ONCE = {"done": 1, "refused": racing.AT_ONCE - 1}


def hold(told: dict) -> None:
    """What must be true of every round."""
    assert told["roster"] == [{"got": ONCE, "acts": 1, "people": 3}] * racing.ROUNDS
    for one in told["newcomer"]:  # who comes second finds the account, or is asked to look again
        assert one["got"]["done"] == one["places"] >= 1
        assert sum(one["got"].values()) == racing.AT_ONCE
    assert told["import"] == [{"got": ONCE, "stood": 1, "stands": 0}] * racing.ROUNDS
    assert told["address"] == [{"got": ONCE, "work": 1, "people": 1}] * racing.ROUNDS


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
