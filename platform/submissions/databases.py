"""Copies of the database as it was at one moment, and back: SQLite by its online backup, PostgreSQL by its own tools."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from django.db import connection, connections
from psycopg import sql

from assignments.models import Lab
from submissions.naming import named_files_query

LABS = f"SELECT path FROM {Lab._meta.db_table}"  # noqa: S608, SLF001 - our own name
# a migrated database has these rows before anybody used it
NOT_COUNTED = {"django_migrations", "django_content_type", "auth_permission"}
OUR_FUNCTIONS = """
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
LOCK_TIMEOUT = "-c lock_timeout=30s"


class BackupError(Exception):
    """A backup or a restore that could not be done. The text says what happened and what to do."""


# what a command tells instead of a traceback
FAULTS = (BackupError, OSError, sqlite3.Error, psycopg.Error)


@dataclass(frozen=True)
class Named:
    """What the rows of one copy name: hashes of files, and folders of published labs."""

    files: frozenset[str]
    labs: frozenset[str]


class Database(Protocol):
    """One kind of database. `file` is the copy's name in a backup."""

    kind: str
    file: str

    def dump(self, target: Path) -> Named:
        """Write a copy of one moment, while others go on writing."""

    def restore(self, source: Path) -> None:
        """Put the copy in the place of everything that is there: whole, or not at all."""


def database() -> Database:
    """The one that the settings name."""
    return Postgres() if connection.vendor == "postgresql" else Sqlite()


def tables_in_use() -> list[str]:
    """Tables that hold rows of somebody's."""
    with connection.cursor() as cursor:
        names = set(connection.introspection.table_names(cursor)) - NOT_COUNTED
        return sorted(name for name in names if _has_rows(cursor, name))


class Sqlite:
    """The embedded database."""

    kind, file = "sqlite", "database.sqlite3"

    def dump(self, target: Path) -> Named:
        """By SQLite's online backup: readers and writers go on."""
        with closing(self._open()) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            named = _named(lambda query: copy.execute(query).fetchall())
        target.chmod(0o600)
        return named

    def restore(self, source: Path) -> None:
        """The same the other way, in one transaction of the target."""
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as copy:
            if (found := _integrity(copy)) != "ok":
                raise BackupError(
                    f"The backup's database is damaged ({found}). Nothing of it was used; take another backup."
                )
            connections.close_all()
            with closing(self._open()) as target:
                copy.backup(target)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(connection.settings_dict["NAME"], timeout=30)


class Postgres:
    """A PostgreSQL server, by pg_dump, pg_restore and psql, which must not be older than the server."""

    kind, file = "postgresql", "database.dump"

    def dump(self, target: Path) -> Named:
        """pg_dump reads the snapshot in which the names are read, so that the two are of one moment."""
        with psycopg.connect(**self._parameters()) as reader:
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reader.read_only = True
            snapshot = reader.execute("SELECT pg_export_snapshot()").fetchall()[0][0]
            named = _named(lambda query: reader.execute(query).fetchall())
            options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}")
            self._run("pg_dump", *options, f"--file={target}")
        target.chmod(0o600)
        return named

    def restore(self, source: Path) -> None:
        """What is there is dropped and the copy is played in, in one transaction."""
        script = source.with_suffix(".sql")
        try:
            self._run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(source))
            drop = self._drop_everything()
            connections.close_all()
            strict = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
            self._run("psql", *strict, f"--command={drop}", f"--file={script}")
        finally:
            script.unlink(missing_ok=True)

    def _drop_everything(self) -> str:
        """Tables, and the functions of triggers, which are none: the copy brings its own. What an extension brought stays."""
        with psycopg.connect(**self._parameters()) as reader:
            tables = reader.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
            functions = [str(name) for (name,) in reader.execute(OUR_FUNCTIONS).fetchall()]
            if not tables:
                return "SELECT 1"
            names = sql.SQL(", ").join(sql.Identifier(str(name)) for (name,) in tables)
            dropped = sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(names).as_string(reader)
            return "; ".join((dropped, *(f"DROP FUNCTION IF EXISTS {name} CASCADE" for name in functions)))

    def _parameters(self) -> dict[str, Any]:
        found = connection.settings_dict
        names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
        return {key: found[name] for key, name in names.items() if found[name]}

    def _run(self, *command: str) -> None:
        """One of PostgreSQL's tools; the password goes by the environment, which other users cannot read."""
        named = {"dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD", "host": "PGHOST", "port": "PGPORT"}
        reached = {named[key]: str(value) for key, value in self._parameters().items()}
        settings = {**os.environ, **reached, "PGOPTIONS": LOCK_TIMEOUT}
        try:
            subprocess.run(command, env=settings, check=True, capture_output=True, text=True)  # noqa: S603 - no shell
        except FileNotFoundError as error:
            raise BackupError(
                f"{command[0]} is not installed. Install PostgreSQL's client of the server's version or a later one "
                "(Debian: postgresql-client) and try again."
            ) from error
        except subprocess.CalledProcessError as error:
            raise BackupError(f"{command[0]} failed, so nothing was changed: {error.stderr.strip()[-1000:]}") from error


def _named(ask: Callable[[str], Iterable[tuple[Any, ...]]]) -> Named:
    return Named(
        frozenset(str(row[0]) for row in ask(named_files_query())), frozenset(str(row[0]) for row in ask(LABS))
    )


def _integrity(copy: sqlite3.Connection) -> str:
    try:
        return str(copy.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)


def _has_rows(cursor: Any, table: str) -> bool:
    cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")  # noqa: S608 - a name from the catalogue
    return cursor.fetchone() is not None
