"""Handing in: the receipt, the second that counts, the double click, what is never stored."""

from __future__ import annotations

import errno
import hashlib
import json
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse

from grading.models import GradingJob
from grading.services import hand_in
from submissions import storage
from submissions.models import Source, Submission
from submissions.selectors import receipt_of
from submissions.services import IncomingFile, SubmissionRefused
from tests.factories import RIGHT, WRONG, ExtensionFactory, chicago, script, submit

pytestmark = pytest.mark.django_db


def test_a_receipt_names_time_hash_size_and_files(world, at):
    now = chicago(2026, 2, 18, 19, 41, 7)
    world.lab.opens_at, world.lab.due_at = now - timedelta(days=1), now + timedelta(days=1)
    world.lab.save()
    at(now)
    receipt = receipt_of(submit(world.lab, world.student))
    sha256 = hashlib.sha256(RIGHT.encode()).hexdigest()
    assert receipt.received_at == now
    assert receipt.files[0].sha256 == sha256
    assert (receipt.files[0].name, receipt.size) == ("work.py", len(RIGHT.encode()))
    canonical = json.dumps([{"name": "work.py", "sha256": sha256, "size": receipt.size}], separators=(",", ":"))
    assert receipt.sha256 == hashlib.sha256(canonical.encode()).hexdigest()
    assert receipt.number == f"#{receipt.submission_pk}"


def test_the_stored_bytes_are_the_bytes_that_came(world):
    submission = submit(world.lab, world.student)
    with storage.open_file(submission.files.get().sha256) as file:
        assert file.read() == RIGHT.encode()


def test_a_submission_and_its_job_come_together(world):
    submission = submit(world.lab, world.student)
    job = GradingJob.objects.get()
    assert job.submission == submission
    assert job.status == "requested"
    assert job.requested_at == submission.created_at


def test_attempts_are_numbered_for_each_student(world):
    numbers = [submit(world.lab, student).number for student in (world.student, world.student, world.classmate)]
    assert numbers == [1, 2, 1]


@pytest.mark.parametrize(("seconds", "accepted"), [(-1, True), (0, True), (0.999, True), (1, False), (3600, False)])
def test_the_last_second_counts_and_the_next_does_not(world, at, files_dir, seconds, accepted):
    at(world.lab.due_at.replace(microsecond=0) + timedelta(seconds=seconds))
    world.lab.due_at = world.lab.due_at.replace(microsecond=0)
    world.lab.save()
    if accepted:
        assert not submit(world.lab, world.student).late
        return
    with pytest.raises(SubmissionRefused, match=r"was due .* Only work in time is accepted"):
        submit(world.lab, world.student)
    assert not Submission.objects.exists()
    assert not files_dir.exists()


def test_the_refusal_names_the_due_second_and_the_servers(world, at):
    world.lab.opens_at, world.lab.due_at = chicago(2026, 2, 1), chicago(2026, 2, 20, 23, 59, 59)
    world.lab.save()
    at(chicago(2026, 2, 21, 0, 0, 0))
    with pytest.raises(SubmissionRefused) as refused:
        submit(world.lab, world.student)
    assert "due Fri 20 Feb 2026, 23:59:59" in str(refused.value)
    assert "arrived Sat 21 Feb 2026, 00:00:00" in str(refused.value)


def test_an_extension_moves_one_students_date_alone(world, at):
    ExtensionFactory(assignment=world.lab, enrollment=world.student)
    at(world.lab.due_at + timedelta(days=1))
    assert submit(world.lab, world.student).late
    with pytest.raises(SubmissionRefused):
        submit(world.lab, world.classmate)


def test_a_slow_queue_makes_nobody_late(world, at):
    at(world.lab.due_at)
    submission = submit(world.lab, world.student)
    at(world.lab.due_at + timedelta(hours=5))
    submission.refresh_from_db()
    assert not submission.late
    assert submission.created_at == world.lab.due_at


def test_what_a_press_waits_for_on_the_server_makes_nobody_late(world, at, browser):
    client, due_at = browser(world.student), world.lab.due_at.replace(microsecond=0)
    at(due_at)

    def seconds_pass(execute, sql, params, many, context):
        at(due_at + timedelta(seconds=9))  # for a connection, a lock, a turn among hundreds
        return execute(sql, params, many, context)

    with connection.execute_wrapper(seconds_pass):
        address = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
        response = client.post(address, {"files": SimpleUploadedFile("work.py", RIGHT.encode())})
    assert response.status_code == 302
    made = Submission.objects.get()
    assert (made.created_at, made.late) == (due_at, False)


def test_the_same_work_with_the_same_token_is_the_same_submission(world):
    first = submit(world.lab, world.student, client_token="once")
    second = submit(world.lab, world.student, client_token="once")
    assert first == second
    assert GradingJob.objects.count() == 1


def test_who_goes_back_to_the_page_and_submits_other_work_has_handed_it_in(world, browser):
    client = browser(world.student)
    page = client.get(reverse("lab", args=[world.offering.slug, world.lab.slug])).content.decode()
    token = re.search(r'name="client_token" value="([^"]+)"', page)[1]
    cell = re.search(r'name="(cell-[^"]+)"', page)[1]
    address = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    pages = [client.post(address, {cell: source, "client_token": token}).url for source in (WRONG, RIGHT, RIGHT)]
    assert pages[0] != pages[1] == pages[2]
    sent = [storage.read(made.files.get().sha256).decode() for made in Submission.objects.order_by("number")]
    assert ["a + b" in text for text in sent] == [False, True]


def test_a_token_of_someone_else_gives_nothing_away(world):
    theirs = submit(world.lab, world.classmate, client_token="mine")
    assert submit(world.lab, world.student, client_token="mine") != theirs


def test_staff_do_not_hand_in(world):
    with pytest.raises(SubmissionRefused, match="Only students"):
        submit(world.lab, world.ta)


def test_attempts_above_the_limit_are_refused(world):
    world.lab.max_attempts = 2
    world.lab.save()
    submit(world.lab, world.student)
    submit(world.lab, world.student)
    with pytest.raises(SubmissionRefused, match="all 2 attempts"):
        submit(world.lab, world.student)


def test_a_failure_of_the_grader_costs_no_attempt(world):
    world.lab.max_attempts = 1
    world.lab.save()
    submission = submit(world.lab, world.student)
    submission.jobs.update(failed_at=submission.created_at)
    assert submit(world.lab, world.student).number == 2


def test_nobody_floods_the_queue(world, settings):
    for _ in range(settings.GRADING_MAX_WAITING):
        submit(world.lab, world.student)
    with pytest.raises(SubmissionRefused, match="still being graded"):
        submit(world.lab, world.student)
    assert submit(world.lab, world.classmate).number == 1


def test_nothing_can_be_handed_in_before_the_opening(world, at):
    at(world.lab.opens_at - timedelta(seconds=1))
    with pytest.raises(SubmissionRefused, match="not open"):
        submit(world.lab, world.student)


def test_a_name_without_end_is_refused(world, files_dir):
    with pytest.raises(SubmissionRefused, match="name is longer"):
        hand_in(
            assignment=world.lab, enrollment=world.student, files=[script(name="a" * 300 + ".py")], source=Source.UPLOAD
        )
    assert not files_dir.exists()


def test_no_service_changes_a_submission():
    import submissions.services

    changing = [name for name in dir(submissions.services) if name.startswith(("update_", "delete_", "edit_"))]
    assert changing == []


def test_equal_files_are_stored_once(world, files_dir):
    submit(world.lab, world.student)
    submit(world.lab, world.classmate)
    assert len([path for path in files_dir.rglob("*") if path.is_file()]) == 1


def test_the_hash_of_several_files_does_not_depend_on_their_order(world):
    from submissions.services import StoredFile, manifest_sha256

    files = [StoredFile("b.py", "1" * 64, 1), StoredFile("a.py", "2" * 64, 2)]
    assert manifest_sha256(files) == manifest_sha256(files[::-1])
    assert manifest_sha256(files) != manifest_sha256(files[:1])


def test_an_incoming_file_is_kept_under_its_own_name(world):
    file = IncomingFile("Lösung 1.py", RIGHT.encode())
    made = hand_in(assignment=world.lab, enrollment=world.student, files=[file], source=Source.UPLOAD)
    assert made.files.get().name == "Lösung 1.py"


def test_a_full_disk_is_told_and_stores_nothing(world, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "store", full)
        with pytest.raises(SubmissionRefused, match="Try again in a minute"):
            submit(world.lab, world.student)
    assert not Submission.objects.exists()
    assert submit(world.lab, world.student).number == 1
