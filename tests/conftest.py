"""Settings of every test: temporary folders, cheap passwords, no network, a clock that tests may set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import override_settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from config import clock

# files with few tests that take long; of the others those with the most tests begin
LONGEST = (
    "tests/e2e/test_compose.py",
    "tests/e2e/test_xss.py",
    "tests/e2e/test_story.py",
    "tests/e2e/test_queue.py",
    "tests/e2e/test_presentations.py",
    "tests/benchmarks/test_deadline.py",
    "tests/platform/web/matrix/test_access.py",
    "tests/platform/web/matrix/test_query_counts.py",
    "tests/platform/submissions/test_backup.py",
    "tests/platform/web/test_seed.py",
    "tests/semester/test_semester.py",
    "tests/platform/grading/test_broker.py",
    "tests/platform/grading/test_lanes.py",
)


class LongestFirst(LoadFileScheduling):
    """A file in one process, so that what it shares is made once; and no process ends minutes after the other."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if first := next((file for file in LONGEST if file in self.workqueue), None):
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LongestFirst | None:
    """For `--dist loadfile` alone."""
    return LongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None


pytest_plugins = ["tests.oracles", "tests.databases", "tests.shaken"]
os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported, by whichever test is first


@pytest.fixture(scope="session", autouse=True)
def _session_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    data = tmp_path_factory.mktemp("data")
    (data / "static").mkdir()
    with override_settings(
        DATA_DIR=data,
        FILES_DIR=data / "files",
        LABS_DIR=data / "labs",
        STATIC_ROOT=data / "static",
        STORAGES={
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        WHITENOISE_USE_FINDERS=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SECURE_SSL_REDIRECT=False,
        SESSION_COOKIE_SECURE=False,
        CSRF_COOKIE_SECURE=False,
        REDIS_URL="",
        PAPER_LOOKUP="off",
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        # the tests' labs are ours; what walls do is tested where walls are
        SANDBOX="trusted",
    ):
        yield


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Django takes the file that is there, and has nothing left to migrate."""
    return True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Callable[[Path], Path]
) -> None:
    """A database in a file, as in production, so that threads and processes meet in it. Nothing needs to survive a power cut."""
    from django.db import connections

    database = connections["default"].settings_dict
    database["TEST"]["NAME"] = str(migrated_sqlite(tmp_path_factory.mktemp("database")))
    database["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup) -> None:
    """Tests with real transactions are cleaned by a flush, which the triggers of what never changes refuse: they stand aside for it."""
    from django.db import connection

    from audit import triggers as audit
    from gradebook.freezing import triggers as snapshots

    plain = connection.ops.sql_flush

    def flush(*args, **options) -> list[str]:
        off, on = (
            [statement for kept in (audit, snapshots) for statement in getattr(kept, name)[connection.vendor]]
            for name in ("REMOVE", "INSTALL")
        )
        return [*off, *plain(*args, **options), *on]

    connection.ops.sql_flush = flush


@pytest.fixture
def files_dir(tmp_path: Path, settings) -> Path:
    """An empty store of submitted files."""
    settings.FILES_DIR = tmp_path / "files"
    return tmp_path / "files"


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the platform's clock to a moment; it stands still until it is set again."""

    def stand(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return stand
