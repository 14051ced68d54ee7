"""The world of the access matrix, made once a module: each test works on it in a transaction that is taken back."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import override_settings

from config import clock
from tests.platform.conftest import World, make_world
from tests.platform.web.matrix.things import Things, make_things


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """Made in a transaction around all tests of the module, with a clock that stands: nothing expires from one test to the next."""
    moment, files = clock.now(), tmp_path_factory.mktemp("files")
    with (
        pytest.MonkeyPatch.context() as patch,
        override_settings(FILES_DIR=files),
        django_db_blocker.unblock(),
        transaction.atomic(),
    ):
        patch.setattr(clock, "now", lambda: moment)
        world = make_world()
        yield pickle.dumps((world, make_things(world)))
        transaction.set_rollback(True)


@pytest.fixture
def mine(built, db) -> tuple[World, Things]:
    """Copies for one test: what it changes of an object, no other test sees."""
    return pickle.loads(built)


@pytest.fixture
def world(mine) -> World:
    return mine[0]


@pytest.fixture
def things(mine) -> Things:
    return mine[1]
