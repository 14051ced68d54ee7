"""The system checks, and what the settings promise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from config import checks, clock

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ["gradlab.E001"]),
        ({"DEMO": True}, []),
        ({"DEBUG": True}, []),
        ({"SECRET_KEY": "x" * 50}, []),
    ],
)
def test_the_published_key_is_refused_where_people_are(settings, changes, found):
    settings.DEMO = settings.DEBUG = False
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [message.id for message in checks.secret_key_is_ours()] == found


def test_a_shifted_clock_is_refused_where_deadlines_are_real(settings):
    settings.CLOCK_OFFSET, settings.DEMO, settings.DEBUG = timedelta(days=1), False, False
    assert [message.id for message in checks.clock_is_true()] == ["gradlab.E002"]
    settings.DEMO = True
    assert checks.clock_is_true() == []


def test_the_clock_is_shifted_by_its_offset(settings):
    before = clock.now()
    settings.CLOCK_OFFSET = timedelta(days=-30)
    assert timedelta(days=29, hours=23) < before - clock.now() <= timedelta(days=30)


def test_a_data_directory_that_is_a_file_is_refused(settings, tmp_path):
    (tmp_path / "data").write_text("")
    settings.DATA_DIR = tmp_path / "data"
    assert [message.id for message in checks.data_directory_is_writable()] == ["gradlab.E003"]
    settings.DATA_DIR = tmp_path / "new"
    assert checks.data_directory_is_writable() == []


def test_a_package_that_hides_the_standard_library_is_refused(settings, tmp_path):
    assert checks.source_root_is_no_package() == []
    settings.BASE_DIR = tmp_path
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "__init__.py").touch()
    assert [message.id for message in checks.source_root_is_no_package()] == ["gradlab.E004"]


KEY = "0123456789" * 5


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"SECRET_KEY": KEY, "RECEIPT_KEY": KEY}, []),
        ({"SECRET_KEY": KEY, "RECEIPT_KEY": ""}, ["gradlab.E006"]),
        ({"SECRET_KEY": KEY, "RECEIPT_KEY": "", "DEMO": True}, []),
        ({"SECRET_KEY": KEY, "RECEIPT_KEY": "", "DEBUG": True}, []),
        ({"SECRET_KEY": "short", "RECEIPT_KEY": KEY}, ["gradlab.E005"]),
        ({"SECRET_KEY": KEY, "RECEIPT_KEY": "short"}, ["gradlab.E005"]),
        ({"SECRET_KEY": KEY, "RECEIPT_KEY": KEY, "RECEIPT_OLD_KEYS": [KEY, "short"]}, ["gradlab.E005"]),
    ],
)
def test_keys_are_there_and_cannot_be_guessed(settings, changes, found):
    settings.DEMO = settings.DEBUG = False
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [message.id for message in checks.keys_are_long()] == found


@pytest.mark.parametrize("name", ["FILES_DIR", "FILES_CACHE_DIR", "LABS_DIR", "DATA_DIR"])
def test_what_is_kept_may_not_lie_where_everybody_reads(settings, tmp_path, name):
    assert checks.nothing_that_is_kept_is_served() == []
    setattr(settings, name, Path(settings.STATIC_ROOT) / "below")
    assert [message.id for message in checks.nothing_that_is_kept_is_served()] == ["gradlab.E007"]
    setattr(settings, name, ROOT / "platform" / "web" / "static" / "data")
    assert [message.id for message in checks.nothing_that_is_kept_is_served()] == ["gradlab.E007"]
    settings.MEDIA_ROOT = tmp_path
    setattr(settings, name, tmp_path / "below")
    assert [message.id for message in checks.nothing_that_is_kept_is_served()] == ["gradlab.E007"]


def test_a_link_into_what_is_served_is_found(settings, tmp_path):
    (tmp_path / "files").symlink_to(settings.STATIC_ROOT)
    settings.FILES_DIR = tmp_path / "files"
    assert [message.id for message in checks.nothing_that_is_kept_is_served()] == ["gradlab.E007"]


@pytest.mark.parametrize(
    ("name", "demo", "found"),
    [
        ("bubblewrap", False, []),
        ("docker", False, []),
        ("trusted", True, []),
        ("trusted", False, ["gradlab.E009"]),
        ("bubblewarp", True, ["gradlab.E008"]),
    ],
)
def test_a_sandbox_exists_and_has_walls(settings, name, demo, found):
    settings.SANDBOX, settings.DEMO, settings.DEBUG = name, demo, False
    assert [message.id for message in checks.sandbox_has_walls()] == found


def test_a_bucket_needs_its_packages(settings, monkeypatch):
    settings.S3_BUCKET = "work"
    assert checks.s3_can_be_spoken() == []
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "boto3" else name)
    assert [message.id for message in checks.s3_can_be_spoken()] == ["gradlab.E010"]
    settings.S3_BUCKET = ""
    assert checks.s3_can_be_spoken() == []


def test_a_message_stays_invisible_longer_than_any_job():
    assert django_settings.VISIBILITY_TIMEOUT_S > 2 * django_settings.CELERY_TASK_TIME_LIMIT
    assert django_settings.CELERY_TASK_TIME_LIMIT > django_settings.GRADING_MAX_JOB_S
    assert django_settings.GRADING_HEARTBEAT_S * 5 < django_settings.GRADING_LEASE_S


def test_celery_takes_json_alone():
    from config.celery import app

    assert app.conf.accept_content == ["json"]
    assert (app.conf.task_serializer, app.conf.task_acks_late, app.conf.task_ignore_result) == ("json", True, True)
    assert app.conf.worker_prefetch_multiplier == 1
    app.loader.import_default_modules()
    assert "grading.grade_job" in app.tasks


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_time_is_read_from_one_clock():
    told = [
        path
        for path in (ROOT / "platform").rglob("*.py")
        if "migrations" not in path.parts
        and ("timezone.now(" in path.read_text() or "datetime.now(" in path.read_text())
    ]
    assert sorted(path.name for path in told) == ["clock.py", "env.py"]
