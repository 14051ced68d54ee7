"""Two teammates at the same moment: every attempt is there, once, with a number of its own and whole. SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from tests.platform.projects.deliverables import racing
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[4]


def hold(told: dict) -> None:
    """What must be true of every round."""
    assert len(told["attempts"]) == racing.ROUNDS
    for one in told["attempts"]:
        assert one == {"numbers": [1, 2, 3, 4], "authors": [2, 2, 2, 2]}
    assert told["clicks"] == [1] * racing.ROUNDS
    assert told["leaving"] == [True] * racing.ROUNDS


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("files_dir")
def test_clicks_of_one_moment_follow_one_another():
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
