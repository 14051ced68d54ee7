"""Publishing a lab, opening and due dates, extensions."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from assignments.due.services import grant_extension
from assignments.models import Lab
from assignments.selectors import due_dates
from assignments.services import publish_lab
from audit.models import AuditEvent
from grader.api import LabError
from tests.factories import TINY, AssignmentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(TINY, tmp_path / "lab")


def test_the_same_content_is_the_same_version(folder):
    assert publish_lab(folder) == publish_lab(TINY)
    assert Lab.objects.count() == 1


def test_a_change_is_a_new_version_and_leaves_the_old_one_whole(folder):
    before = publish_lab(folder)
    (folder / "handout.md").write_text("# Another\n")
    after = publish_lab(folder)
    assert before.version != after.version
    assert (after.folder / "handout.md").read_text() == "# Another\n"
    assert (before.folder / "handout.md").read_text() != "# Another\n"


def test_what_only_authors_need_is_left_behind(folder):
    (folder / "handout.md").write_text("# A version that no other test's runs have left anything in\n")
    (folder / "checks" / "__pycache__").mkdir(exist_ok=True)
    (folder / "checks" / "__pycache__" / "test_task1.pyc").write_bytes(b"")
    lab = publish_lab(folder)
    assert (lab.folder / "lab.toml").is_file()
    assert not (lab.folder / "mutants").exists()
    assert not list(lab.folder.rglob("__pycache__"))


def test_a_published_folder_that_is_lost_is_published_again(folder):
    lab = publish_lab(folder)
    shutil.rmtree(lab.folder)
    assert publish_lab(folder).folder.is_dir()
    assert Lab.objects.count() == 1


def test_a_folder_that_is_no_lab_is_named(tmp_path):
    with pytest.raises(LabError, match=r"lab\.toml"):
        publish_lab(tmp_path)
    assert not Lab.objects.exists()


def test_the_summary_is_what_the_grader_read():
    summary = publish_lab(TINY).summary
    assert (summary.slug, summary.max_score, [task.id for task in summary.tasks]) == ("tiny", 10.0, ["1", "2"])


def test_publishing_by_command_moves_an_assignment_to_the_new_version(world, folder, capsys):
    (folder / "handout.md").write_text("# Newer\n")
    call_command("publish_lab", str(folder), world.offering.slug, world.lab.slug)
    world.lab.refresh_from_db()
    assert world.lab.lab.summary.handout == "# Newer\n"
    with pytest.raises(CommandError, match="no assignment nothing"):
        call_command("publish_lab", str(folder), world.offering.slug, "nothing")
    with pytest.raises(CommandError, match=r"lab\.toml"):
        call_command("publish_lab", str(folder / "checks"), world.offering.slug, world.lab.slug)


def test_a_lab_cannot_be_due_before_it_opens(world):
    with pytest.raises(IntegrityError), transaction.atomic():
        AssignmentFactory(offering=world.offering, due_at=world.lab.opens_at, opens_at=world.lab.due_at)


def test_an_extension_is_granted_with_a_line_in_the_trail(world):
    later = world.lab.due_at + timedelta(days=2)
    grant_extension(
        assignment=world.lab, enrollment=world.student, due_at=later, reason="ill", by=world.instructor.user
    )
    grant_extension(
        assignment=world.lab,
        enrollment=world.student,
        due_at=later + timedelta(days=1),
        reason="still ill",
        by=world.instructor.user,
    )
    assert world.lab.due_for(world.student) == later + timedelta(days=1)
    assert world.lab.due_for(world.classmate) == world.lab.due_at
    assert due_dates(world.student, [world.lab]) == {world.lab.pk: later + timedelta(days=1)}
    assert [event.reason for event in AuditEvent.objects.order_by("pk")] == ["ill", "still ill"]
