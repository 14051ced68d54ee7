"""Web, worker and sweeper as real processes: wrong settings stop the start with status 1, right ones do not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.postgres import free_port

ROOT = Path(__file__).resolve().parents[3]
KEYS = {"GRADLAB_SECRET_KEY": "s" * 25 + "0123456789" * 3, "GRADLAB_RECEIPT_KEY": "r" * 25 + "0123456789" * 3}
# everything at once: one start tells all of it
WRONG = {
    "GRADLAB_CLOCK_OFFSET_S": "3600",
    "GRADLAB_RECEIPT_OLD_KEYS": "short",
    "GRADLAB_SANDBOX": "trusted",
    "GRADLAB_VISIBILITY_TIMEOUT_S": "10",
}
TOLD = ("E001", "E002", "E005", "E006", "E007", "E009", "E011", "E012")


def settings(data: Path, **changes: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GRADLAB_DATA_DIR": str(data), "OMP_NUM_THREADS": "1", **changes}


def started(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    order = [sys.executable, "manage.py", *command]
    return subprocess.run(order, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture
def evicting_redis(live_redis, redis_socket):
    live_redis.config_set("maxmemory-policy", "volatile-lru")
    yield f"unix://{redis_socket}"
    live_redis.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("command", [["web", "--port=1"], ["worker"], ["sweeper"], ["sweeper", "--once"]], ids=" ".join)
def test_wrong_settings_stop_the_start(command, tmp_path, evicting_redis):
    (tmp_path / "static" / "files").mkdir(parents=True)
    (tmp_path / "files").symlink_to(tmp_path / "static" / "files")
    done = started(command, settings(tmp_path, GRADLAB_REDIS_URL=evicting_redis, **WRONG))
    assert done.returncode == 1
    assert [name for name in TOLD if f"gradlab.{name}" not in done.stderr] == []
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_without_its_sandbox_does_not_start_and_the_web_does(tmp_path, migrated_sqlite, socket_enabled):
    """The same settings on both: what a worker lacks is no business of the web's."""
    port = free_port()
    lacking = settings(
        tmp_path,
        **KEYS,
        GRADLAB_SANDBOX="docker",
        DOCKER_HOST="unix:///nowhere/docker.sock",
        GRADLAB_REDIS_URL=f"unix://{tmp_path}/redis.sock",
    )
    early = started(["worker"], lacking)
    assert early.returncode == 1
    assert "Run `manage.py migrate` first" in early.stderr
    migrated_sqlite(tmp_path)
    assert started(["migrate", "--verbosity=0"], lacking).returncode == 0
    worker = started(["worker"], lacking)
    assert worker.returncode == 1
    assert "The sandbox docker cannot be built, so no job is taken." in worker.stderr
    web = subprocess.Popen(
        [sys.executable, "manage.py", "web", f"--port={port}"], cwd=ROOT, env=lacking, stderr=subprocess.PIPE, text=True
    )
    try:
        assert answers(f"http://127.0.0.1:{port}/healthz", web) in {200, 503}
    finally:
        web.terminate()
        said = web.communicate(timeout=30)[1]
    assert "gradlab.W002" in said, "a Redis that is away is told, and stops nothing"


def answers(url: str, process: subprocess.Popen[str]) -> int:
    """The status of the first answer."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            time.sleep(0.2)
    raise AssertionError("no answer")
