"""The processes beside the web: sweeper, worker, embedded Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from django.core.management import CommandError, call_command

from submissions import storage
from submissions.models import PracticeRun
from submissions.services import forget_unused_files
from tests.factories import practice, submit

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.django_db
def test_one_sweep_says_what_it_did(world, capsys):
    submit(world.lab, world.student)
    call_command("sweeper", "--once")
    assert capsys.readouterr().out == "0 sent again, 0 given up.\n"


@pytest.mark.django_db
def test_a_worker_without_a_queue_says_what_is_missing(monkeypatch):
    from config.celery import app

    monkeypatch.setattr(app.conf, "broker_url", None)
    with pytest.raises(CommandError, match="GRADLAB_REDIS_URL is not set"):
        call_command("worker")


@pytest.mark.django_db
def test_a_lane_that_nobody_waits_in_is_told(monkeypatch):
    from config.celery import app

    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    with pytest.raises(CommandError, match="There is no lane cpu; there are interactive, grading, gpu"):
        call_command("worker", "--queues", "grading,cpu")


@pytest.mark.django_db
def test_a_worker_takes_no_job_behind_open_walls(settings, monkeypatch):
    from config.celery import app

    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    settings.SANDBOX = "trusted"
    with pytest.raises(CommandError, match=r"no job is taken.*has no walls"):
        call_command("worker")
    settings.SANDBOX = "docker"
    monkeypatch.setenv("GRADLAB_RUNNER_IMAGE", "gradlab-runner:never-built")
    with pytest.raises(CommandError, match="cannot be built, so no job is taken"):
        call_command("worker")


@pytest.mark.django_db
def test_redis_needs_to_know_where_to_listen(settings):
    settings.REDIS_URL = ""
    with pytest.raises(CommandError, match="GRADLAB_REDIS_URL"):
        call_command("redis_server")


@pytest.mark.django_db
def test_files_of_forgotten_practice_runs_are_deleted_and_submitted_ones_stay(world, settings):
    kept = submit(world.lab, world.student, "kept = 1\n").files.get().sha256
    gone = practice(world.lab, world.student, "gone = 1\n").practice_run.files.get().sha256
    PracticeRun.objects.all().delete()
    for sha256 in (kept, gone):
        os.utime(storage.path(sha256), (0, 0))
    assert forget_unused_files() == 1
    assert storage.path(kept).exists()
    assert not storage.path(gone).exists()


def started(*command: str, tmp_path: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "GRADLAB_DEMO": "1", "GRADLAB_DATA_DIR": str(tmp_path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_embedded_redis_is_durable_and_asks_for_its_password(tmp_path):
    socket = tmp_path / "r.sock"
    with started("redis_server", tmp_path=tmp_path, GRADLAB_REDIS_URL=f"unix://:secret@{socket}") as server:
        until = time.monotonic() + 20
        while not socket.exists():
            assert time.monotonic() < until
            assert server.poll() is None, server.stdout.read()
            time.sleep(0.05)
        with redis.Redis(unix_socket_path=str(socket)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with redis.Redis(unix_socket_path=str(socket), password="secret") as client:
            client.set("kept", "1")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}
        server.terminate()
    assert (tmp_path / "redis" / "redis.conf").stat().st_mode & 0o077 == 0


def test_the_sweeper_goes_when_it_is_told_to(tmp_path, migrated_sqlite):
    migrated_sqlite(tmp_path)
    with started("sweeper", tmp_path=tmp_path) as sweeper:
        assert any("pruned" in line for line in sweeper.stdout), "it sweeps and prunes before it is told anything"
        sweeper.send_signal(signal.SIGTERM)
        assert sweeper.wait(timeout=20) == 0
