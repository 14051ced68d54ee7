"""Migrated databases: migrations run once in all processes of a run, and each test that needs a database of its own gets a copy."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_socket import enable_socket

from tests.postgres import Postgres, tools

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = count()


def environment(data: Path, url: str, **more: str) -> dict[str, str]:
    """Of a process that uses this data directory and this database; no URL is the file in the directory."""
    settings = {"GRADLAB_DEMO": "1", "GRADLAB_DATA_DIR": str(data), "GRADLAB_DATABASE_URL": url}
    return os.environ | settings | {"PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}"} | more


def migrate(data: Path, url: str) -> None:
    """Bring a database to the present schema."""
    order = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(order, cwd=ROOT, env=environment(data, url), check=True)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], Any]], Path]:
    """`once(name, make)`: a folder that `make(folder)` fills in whichever process of this run asks first; the others wait for it."""
    mine = tmp_path_factory.getbasetemp()
    run = mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine

    def folder(name: str, make: Callable[[Path], Any]) -> Path:
        with (run / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made, unfinished = run / f"{name}.made", run / f"{name}.unfinished"
            if not made.exists():
                shutil.rmtree(unfinished, ignore_errors=True)  # of a process that failed
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(made)
        return made

    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for all tests of this process, which does not wait for the disk."""
    with Postgres(durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: Postgres, once: Callable[[str, Callable[[Path], Any]], Path]) -> str:
    """The name of a migrated database, to copy with `create`."""
    url = create(postgres_server, "migrated")

    def dump(folder: Path) -> None:
        scratch = create(postgres_server, "scratch")
        migrate(folder, scratch)
        subprocess.run([tools() / "pg_dump", f"--file={folder / 'dump.sql'}", scratch], check=True)

    made = once("migrated-postgresql", dump) / "dump.sql"
    order = [tools() / "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={made}", url]
    subprocess.run(order, check=True, stdout=subprocess.DEVNULL)
    return "migrated"


def create(server: Postgres, name: str, template: str = "template0") -> str:
    """A new database of this name, and its URL."""
    enable_socket()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{server.server}/{name}"


@pytest.fixture
def postgres_url(postgres_server: Postgres, migrated_postgres: str) -> str:
    """A migrated database of this test's own."""
    return create(postgres_server, f"copy_{next(NUMBERS)}", migrated_postgres)


@pytest.fixture(scope="session")
def migrated_sqlite(once: Callable[[str, Callable[[Path], Any]], Path]) -> Callable[[Path], Path]:
    """`migrated_sqlite(data)`: this data directory has a migrated database, whose file it gives."""

    def copy(data: Path) -> Path:
        made = once("migrated-sqlite", lambda folder: migrate(folder, ""))
        data.mkdir(parents=True, exist_ok=True)
        for file in made.glob("db.sqlite3*"):
            shutil.copy(file, data / file.name)
        return data / "db.sqlite3"

    return copy


@pytest.fixture
def on_postgresql(postgres_url: str, tmp_path: Path) -> Callable[..., Any]:
    """`on_postgresql(racing, GRADLAB_…=…)`: runs the module as a program on PostgreSQL and gives the JSON that it printed last."""

    def run(module: Any, **settings: str) -> Any:
        order, around = [sys.executable, module.__file__], environment(tmp_path, postgres_url, **settings)
        ran = subprocess.run(order, env=around, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr[-3000:]
        return json.loads(ran.stdout.splitlines()[-1])

    return run
