"""Backup and restore, by the commands, between two installations: every row of every table and every byte of every file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command

from courses.models import Enrollment
from submissions import storage
from submissions.models import Submission, SubmittedFile
from tests.databases import create
from tests.factories import HALF, graded, practice, submit
from tests.postgres import tools

ROOT = Path(__file__).resolve().parents[3]
SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
POSTGRES_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@dataclass
class Installation:
    """A data directory and a database, used by commands in processes of their own."""

    data: Path
    database: str

    @property
    def settings(self) -> dict[str, str]:
        return {
            "PATH": f"{tools()}{os.pathsep}{os.environ['PATH']}",
            "GRADLAB_DEMO": "1",
            "GRADLAB_DATA_DIR": str(self.data),
            "GRADLAB_DATABASE_URL": self.database,
        }

    def manage(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        order = [sys.executable, "manage.py", *command]
        return subprocess.run(
            order,
            cwd=ROOT,
            env={**self.settings, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def must(self, *command: str) -> str:
        done = self.manage(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, query: str) -> list[tuple]:
        if self.database:
            with psycopg.connect(self.database) as connection:
                return connection.execute(query).fetchall()
        with closing(sqlite3.connect(self.data / "db.sqlite3")) as connection:
            return connection.execute(query).fetchall()

    def tell(self, statement: str) -> None:
        if self.database:
            with psycopg.connect(self.database) as connection:
                connection.execute(statement)
        else:
            with closing(sqlite3.connect(self.data / "db.sqlite3")) as connection, connection:
                connection.execute(statement)

    def rows(self) -> dict[str, list[tuple]]:
        tables = [name for (name,) in self.ask(POSTGRES_TABLES if self.database else SQLITE_TABLES)]
        return {name: sorted(self.ask(f'SELECT * FROM "{name}"'), key=repr) for name in tables}

    def bytes(self) -> dict[str, bytes]:
        folders = [self.data / "files", self.data / "labs"]
        found = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
        return {str(file.relative_to(self.data)): file.read_bytes() for file in found}


@pytest.fixture(params=["sqlite", "postgresql"])
def installations(request, tmp_path: Path, socket_enabled) -> tuple[Installation, Installation]:
    """A first one, which is migrated, and one to restore into."""
    first, second = tmp_path / "first", tmp_path / "second"
    if request.param == "sqlite":
        request.getfixturevalue("migrated_sqlite")(first)
        return Installation(first, ""), Installation(second, "")
    url, server = request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_server")
    return Installation(first, url), Installation(second, create(server, "second"))


@pytest.fixture
def used(installations, world, tmp_path, settings) -> Installation:
    """The first one with people, submissions, a practice run, a report and a published lab."""
    first = installations[0]
    graded(world.lab, world.student, HALF)
    submit(world.lab, world.classmate)
    practice(world.lab, world.student, "x = 1\n")
    call_command("dumpdata", "--all", exclude=["contenttypes", "auth"], output=str(tmp_path / "all.json"))
    first.must("loaddata", str(tmp_path / "all.json"))
    shutil.copytree(settings.FILES_DIR, first.data / "files")
    for (path,) in first.ask("SELECT path FROM assignments_lab"):
        shutil.copytree(Path(settings.LABS_DIR) / path, first.data / "labs" / path)
    return first


pytestmark = pytest.mark.django_db(transaction=True)


def test_every_row_and_every_byte_comes_back(used, installations, tmp_path):
    second, backup = installations[1], tmp_path / "backup"
    said = used.must("backup", str(backup))
    assert "3 files and 1 published labs" in said
    assert backup.stat().st_mode & 0o077 == 0, "it holds everybody's work"
    assert "Restored the backup" in second.must("restore", str(backup))
    rows = used.rows()
    assert sum(map(len, rows.values())) > 60
    assert len(rows["submissions_submission"]) == 2
    assert second.rows() == rows
    assert len(used.bytes()) > 8
    assert second.bytes() == used.bytes()
    program = "from accounts.models import User; print(User.objects.create(email='new@example.edu', name='New').pk)"
    made = int(second.must("shell", "--no-imports", "-c", program))
    assert made > max(pk for (pk,) in used.ask("SELECT id FROM accounts_user")), "it goes on counting"


def test_a_used_database_is_overwritten_only_by_force_and_then_whole(used, installations, tmp_path):
    backup = tmp_path / "backup"
    used.must("backup", str(backup))
    before = used.rows()
    used.tell("UPDATE submissions_submission SET number = number + 5")
    used.tell("CREATE TABLE later (x integer)")
    used.tell("INSERT INTO later VALUES (1)")
    changed = used.rows()
    done = used.manage("restore", str(backup))
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert "nothing was changed" in done.stderr
    assert used.rows() == changed
    used.must("restore", str(backup), "--force")
    assert used.rows() == before


def test_a_backup_while_people_submit_holds_the_file_of_every_row(used, tmp_path):
    """Files and rows keep coming, as `store` and `hand_in` write them, until the backup is made."""
    program = (
        "import secrets\n"
        "from submissions import storage\n"
        "from submissions.models import PracticeRun, SubmittedFile\n"
        "run = PracticeRun.objects.first()\n"
        "while True:\n"
        "    data = secrets.token_bytes(2000)\n"
        "    SubmittedFile.objects.create(practice_run=run, name='x', sha256=storage.store(data), size=2000)\n"
    )
    count, backup = "SELECT count(*) FROM submissions_submittedfile", tmp_path / "backup"
    with subprocess.Popen([sys.executable, "manage.py", "shell", "-c", program], cwd=ROOT, env=used.settings) as writer:
        while used.ask(count)[0][0] < 10:
            assert writer.poll() is None
            time.sleep(0.1)
        used.must("backup", str(backup))
        assert writer.poll() is None
        writer.kill()
    named = _named_in(backup, used, Installation(tmp_path / "copy", ""))
    assert 10 <= len(named) < used.ask(count)[0][0], "people went on while it ran"
    assert named <= {file.name for file in (backup / "files").rglob("*") if file.is_file()}


def _named_in(backup: Path, used: Installation, copy: Installation) -> set[str]:
    """Hashes that the rows of the backup's database name."""
    if not used.database:
        copy.data.mkdir()
        shutil.copy(backup / "database.sqlite3", copy.data / "db.sqlite3")
        return {name for (name,) in copy.ask("SELECT sha256 FROM submissions_submittedfile")}
    dumped = subprocess.run(
        [
            tools() / "pg_restore",
            "--data-only",
            "--table=submissions_submittedfile",
            "--file=-",
            backup / "database.dump",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {word for line in dumped.splitlines() for word in line.split("\t") if len(word) == 64}


class TestRefusals:
    """The database's kind makes no difference here, so the tests' own stands for both."""

    @pytest.fixture
    def backup(self, world, tmp_path) -> Path:
        submit(world.lab, world.student)
        call_command("backup", str(tmp_path / "backup"), stdout=io.StringIO())
        return tmp_path / "backup"

    def refused(self, backup: Path) -> str:
        """What a restore says that is refused and changes no row, forced as it is."""
        before = [list(model.objects.order_by("pk").values()) for model in (Submission, SubmittedFile, Enrollment)]
        with pytest.raises(CommandError) as refusal:
            call_command("restore", str(backup), "--force")
        after = [list(model.objects.order_by("pk").values()) for model in (Submission, SubmittedFile, Enrollment)]
        assert after == before
        return str(refusal.value)

    def test_a_backup_is_never_written_over_something(self, backup):
        before = sorted(backup.rglob("*"))
        with pytest.raises(CommandError, match="is not empty, so no backup was made"):
            call_command("backup", str(backup))
        assert sorted(backup.rglob("*")) == before

    def test_half_a_backup_is_none(self, backup):
        (backup / "backup.json").unlink()
        assert "is no whole backup" in self.refused(backup)

    def test_a_backup_of_a_later_version_is_told(self, backup):
        manifest = (backup / "backup.json").read_text()
        (backup / "backup.json").write_text(manifest.replace("gradlab backup 1", "gradlab backup 2"))
        assert "which this version cannot read" in self.refused(backup)

    def test_a_damaged_database_is_found_before_anything_changes(self, backup):
        with (backup / "database.sqlite3").open("r+b") as file:
            file.seek(5000)
            file.write(b"rot")
        assert "not as it was written" in self.refused(backup)

    def test_a_database_that_was_damaged_when_it_was_copied_is_found_too(self, backup):
        with (backup / "database.sqlite3").open("r+b") as file:
            file.seek(4096)
            file.write(bytes(4096))
        manifest = json.loads((backup / "backup.json").read_bytes())
        sha256 = hashlib.sha256((backup / "database.sqlite3").read_bytes()).hexdigest()
        (backup / "backup.json").write_text(json.dumps(manifest | {"database_sha256": sha256}))
        assert "damaged" in self.refused(backup)

    def test_a_damaged_file_is_found_before_the_database_changes(self, backup):
        next(file for file in (backup / "files").rglob("*") if file.is_file()).write_bytes(b"rot")
        assert "The backup is damaged" in self.refused(backup)

    def test_a_lost_file_is_found_before_the_database_changes(self, backup):
        next(file for file in (backup / "files").rglob("*") if file.is_file()).unlink()
        assert "The backup lacks" in self.refused(backup)

    def test_a_lost_lab_is_found_before_the_database_changes(self, backup):
        shutil.rmtree(backup / "labs")
        assert "The backup lacks its lab" in self.refused(backup)

    def test_another_kind_of_database_is_told(self, backup):
        manifest = json.loads((backup / "backup.json").read_bytes())
        (backup / "backup.json").write_text(json.dumps(manifest | {"database": "postgresql"}))
        assert "GRADLAB_DATABASE_URL names sqlite" in self.refused(backup)

    def test_what_was_lost_before_is_named_and_the_rest_is_saved(self, world, tmp_path):
        lost, kept = submit(world.lab, world.student, HALF).files.get(), submit(world.lab, world.classmate).files.get()
        storage.path(lost.sha256).unlink()
        lab = world.other_lab.lab.folder
        elsewhere = lab.rename(lab.with_name("elsewhere"))
        try:
            with pytest.raises(CommandError, match=r"2 files or labs could not be backed up") as told:
                call_command("backup", str(tmp_path / "backup"), stdout=io.StringIO())
            assert lost.sha256 in str(told.value)
            storage.path(kept.sha256).unlink()
            call_command("restore", str(tmp_path / "backup"), "--force", stdout=io.StringIO())
        finally:
            elsewhere.rename(lab)
        assert storage.read(kept.sha256)
        assert Submission.objects.count() == 2

    def test_a_store_that_is_away_makes_no_backup(self, world, tmp_path, settings):
        submit(world.lab, world.student)
        settings.S3_BUCKET, settings.S3_OPTIONS = "away", {"endpoint_url": "http://127.0.0.1:9", "access_key": "x"}
        settings.S3_OPTIONS |= {"secret_key": "x", "region_name": "us-east-1"}
        with pytest.raises(CommandError, match="No backup was made"):
            call_command("backup", str(tmp_path / "backup"))
        assert not (tmp_path / "backup" / "backup.json").exists()

    def test_without_postgresqls_tools_it_says_what_to_install(self, tmp_path, postgres_url):
        installation = Installation(tmp_path / "third", postgres_url)
        done = installation.manage("backup", str(tmp_path / "backup"), PATH=str(tmp_path))
        assert done.returncode == 1
        assert "pg_dump is not installed" in done.stderr
        assert not (tmp_path / "backup" / "backup.json").exists()


def test_a_backup_to_and_from_s3(world, bucket, tmp_path):
    """From a bucket into a folder, and from there into a bucket that lost everything."""
    sha256 = submit(world.lab, world.student).files.get().sha256
    call_command("backup", str(tmp_path / "backup"), stdout=io.StringIO())
    bucket.objects.all().delete()
    with pytest.raises(FileNotFoundError):
        storage.read(sha256)
    call_command("restore", str(tmp_path / "backup"), "--force", stdout=io.StringIO())
    assert storage.read(sha256)
