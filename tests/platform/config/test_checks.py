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


@pytest.mark.django_db
def test_a_lab_longer_than_a_job_may_be_is_told(world, settings):
    assert checks.visibility_timeout_is_long_enough(databases=["default"]) == []
    settings.GRADING_MAX_JOB_S = 1
    assert [message.id for message in checks.visibility_timeout_is_long_enough(databases=["default"])] == [
        "gradlab.W001"
    ]


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
