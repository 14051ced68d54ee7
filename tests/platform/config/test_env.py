"""Reading the environment: a wrong value stops the start and names the variable."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.mark.parametrize(
    ("value", "flag"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("", False), ("no", False)]
)
def test_flags(monkeypatch, value, flag):
    monkeypatch.setenv("GRADLAB_X", value)
    assert env.flag("X", default=not flag) is flag


def test_an_unset_variable_takes_the_default(monkeypatch):
    monkeypatch.delenv("GRADLAB_X", raising=False)
    assert env.flag("X", default=True)
    assert env.integer("X", 7) == 7
    assert env.items("X", "a, b,,c") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("read", "value"), [(lambda: env.flag("X", default=True), "maybe"), (lambda: env.integer("X", 1), "1.5")]
)
def test_a_wrong_value_is_named(monkeypatch, read, value):
    monkeypatch.setenv("GRADLAB_X", value)
    with pytest.raises(ImproperlyConfigured, match="GRADLAB_X"):
        read()


def test_a_secret_may_lie_in_a_file(monkeypatch, tmp_path: Path):
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("GRADLAB_KEY_FILE", str(tmp_path / "key"))
    assert env.secret("KEY") == "from a file"
    monkeypatch.setenv("GRADLAB_KEY", "as well")
    with pytest.raises(ImproperlyConfigured, match="not both"):
        env.secret("KEY")


def test_a_secret_file_that_is_not_there_is_named(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("GRADLAB_KEY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ImproperlyConfigured, match="GRADLAB_KEY_FILE"):
        env.secret("KEY")


def test_a_database_url_may_name_postgres(tmp_path: Path):
    found = env.database("postgresql://ada:p%40ss@db.example:5433/grad", embedded=tmp_path)
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "ada",
        "p@ss",
        "db.example",
        "5433",
        "grad",
    )


def test_the_embedded_database_is_durable_and_does_not_deadlock(tmp_path: Path):
    options = env.database("", embedded=tmp_path / "db.sqlite3")["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


def test_another_database_is_refused(tmp_path: Path):
    with pytest.raises(ImproperlyConfigured, match="postgresql://"):
        env.database("mysql://x", embedded=tmp_path)


def test_the_clock_may_stand_elsewhere(monkeypatch):
    monkeypatch.delenv("GRADLAB_CLOCK_OFFSET_S", raising=False)
    monkeypatch.setenv("GRADLAB_CLOCK", "2026-02-18T19:41:00-06:00")
    there = datetime.now(UTC) + env.clock_offset()
    assert abs(there - datetime(2026, 2, 19, 1, 41, tzinfo=UTC)) < timedelta(seconds=5)
    monkeypatch.setenv("GRADLAB_CLOCK_OFFSET_S", "-90")
    assert env.clock_offset() == timedelta(seconds=-90)


@pytest.mark.parametrize("value", ["yesterday", "2026-02-18T19:41:00"])
def test_a_clock_that_cannot_be_read_is_refused(monkeypatch, value):
    monkeypatch.delenv("GRADLAB_CLOCK_OFFSET_S", raising=False)
    monkeypatch.setenv("GRADLAB_CLOCK", value)
    with pytest.raises(ImproperlyConfigured, match="GRADLAB_CLOCK"):
        env.clock_offset()


def test_every_variable_is_in_the_example_file():

    root = Path(__file__).resolve().parents[3]
    sources = [
        root / "platform/config/settings.py",
        root / "platform/config/env.py",
        *(root / "platform").rglob("commands/*.py"),
    ]
    read = {
        name
        for source in sources
        for name in re.findall(
            r"(?:env\.)?(?:text|flag|integer|items|secrets?)\(\s*\"([A-Z0-9_]+)\"", source.read_text()
        )
    }
    # what the compose file, the engine's filter and the grader read by its whole name
    named = [root / "docker-compose.yml", *(root / "deploy").rglob("*.py"), *(root / "grader").rglob("*.py")]
    elsewhere = {name for source in named for name in re.findall(r"GRADLAB_([A-Z0-9_]+)", source.read_text())}
    example = set(re.findall(r"^#? ?GRADLAB_([A-Z0-9_]+)=", (root / ".env.example").read_text(), re.MULTILINE))
    assert read <= example
    assert example <= read | elsewhere


# what the compose file decides by itself, or what has no meaning behind its proxy and in its containers
DECIDED = {"ALLOW_APPROXIMATE_LIMITS", "CLOCK", "DEBUG", "HASHED_STATIC"}


def test_the_compose_file_hands_on_every_setting_of_the_example():
    root = Path(__file__).parents[3]
    compose = (root / "docker-compose.yml").read_text()
    example = re.findall(r"^#? ?GRADLAB_([A-Z0-9_]+)=", (root / ".env.example").read_text(), re.MULTILINE)
    assert [name for name in example if f"GRADLAB_{name}" not in compose and name not in DECIDED] == []


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://me:p%40ss@mail.example.edu", ("mail.example.edu", 587, "me", "p@ss", False, True)),
        ("smtps://me:secret@mail.example.edu:4650", ("mail.example.edu", 4650, "me", "secret", True, False)),
        ("smtp+plain://localhost", ("localhost", 25, "", "", False, False)),
    ],
)
def test_a_mail_server_is_named_by_one_address(url, server):
    mail = env.mail(url)
    assert (mail.host, mail.port, mail.user, mail.password, mail.ssl, mail.starttls) == server
    assert mail.backend.endswith("smtp.EmailBackend")


def test_without_a_mail_server_mails_are_printed():
    assert env.mail("").backend.endswith("console.EmailBackend")


@pytest.mark.parametrize(
    "url", ["mail.example.edu", "http://mail.example.edu", "smtp://", "smtp://me:secret@host:many"]
)
def test_an_address_that_is_no_mail_server_stops_the_start_and_keeps_its_password(url):
    with pytest.raises(ImproperlyConfigured, match="GRADLAB_MAIL_URL") as stopped:
        env.mail(url)
    assert "secret" not in str(stopped.value)
