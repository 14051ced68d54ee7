"""What both stores promise, the folder and S3: the same tests for either, and what only S3 has."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from grading.models import GradeReport
from grading.runner import run_job
from grading.sweep import sweep
from submissions import storage
from submissions.models import PracticeRun, Submission
from submissions.services import SubmissionRefused, forget_unused_files
from submissions.stores import DamagedFile, StorageAway
from tests.factories import RIGHT, practice, submit


class Folder:
    """The folder, and what can happen to a file in it."""

    away = PermissionError

    def __init__(self, root: Path) -> None:
        self.root = root

    def file(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def damage(self, sha256: str) -> None:
        self.file(sha256).write_bytes(b"rot")

    def lose(self, sha256: str) -> None:
        self.file(sha256).unlink()

    def names(self) -> set[str]:
        return {file.name for file in self.root.rglob("*") if file.is_file()}

    def age(self) -> None:
        for file in self.root.rglob("*"):
            os.utime(file, (0, 0))


class Bucket:
    """The bucket, likewise. Objects cannot be made old, so waiting does it."""

    def __init__(self, bucket) -> None:
        self.bucket = bucket

    def key(self, sha256: str) -> str:
        return f"files/{sha256[:2]}/{sha256[2:4]}/{sha256}"

    def damage(self, sha256: str) -> None:
        self.bucket.put_object(Key=self.key(sha256), Body=b"rot")

    def lose(self, sha256: str) -> None:
        self.bucket.Object(self.key(sha256)).delete()

    def names(self) -> set[str]:
        return {found.key.rsplit("/", 1)[1] for found in self.bucket.objects.all()}

    def age(self) -> None:
        time.sleep(4.2)  # moments of S3 are whole seconds


@contextmanager
def pruning(folder: Path) -> Iterator[None]:
    """Another process that holds the folder's lock."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@pytest.fixture(params=["folder", "s3"])
def backend(request):
    if request.param == "folder":
        return Folder(request.getfixturevalue("files_dir"))
    return Bucket(request.getfixturevalue("bucket"))


def test_any_bytes_come_back_under_their_hash(backend):
    rng = random.Random(1)
    for size in (0, 1, 4096, 100_003):
        data = rng.randbytes(size)
        sha256 = storage.store(data)
        assert sha256 == hashlib.sha256(data).hexdigest()
        assert storage.read(sha256) == data
        assert storage.path(sha256).read_bytes() == data
        with storage.open_file(sha256) as file:
            assert file.read() == data


def test_storing_twice_is_storing_once(backend):
    assert {storage.store(b"x") for _ in range(3)} == backend.names()
    assert set(storage.hashes()) == backend.names()


def test_what_is_not_there_is_said(backend):
    with pytest.raises(FileNotFoundError):
        storage.read("0" * 64)
    assert list(storage.hashes()) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_what_is_no_hash_is_no_name(backend, name):
    with pytest.raises(ValueError, match="SHA-256"):
        storage.read(name)


def test_damaged_bytes_are_never_handed_out_and_storing_them_again_heals(backend):
    sha256 = storage.store(b"right")
    backend.damage(sha256)
    with pytest.raises(DamagedFile, match=sha256):
        storage.read(sha256)
    storage.store(b"right")
    assert storage.read(sha256) == b"right"


def test_only_old_files_that_nothing_names_are_pruned(backend):
    named, forgotten, again = (storage.store(data) for data in (b"named", b"forgotten", b"again"))
    backend.age()
    young = storage.store(b"young")
    storage.store(b"again")  # its row is about to be written
    assert storage.prune(keep={named}, older_than_s=3) == 1
    assert backend.names() == {named, young, again}
    assert forgotten not in set(storage.hashes())


def test_nothing_young_is_pruned(backend):
    storage.store(b"x")
    assert storage.prune(keep=set(), older_than_s=60) == 0


@pytest.mark.django_db
def test_files_of_forgotten_practice_runs_go_and_submitted_ones_stay(world, backend, settings):
    settings.UNUSED_FILES_KEPT_S = 3
    kept = submit(world.lab, world.student, "kept = 1\n").files.get().sha256
    practice(world.lab, world.student, "gone = 1\n")
    PracticeRun.objects.all().delete()
    backend.age()
    assert forget_unused_files() == 1
    assert backend.names() == {kept}


@pytest.mark.django_db(transaction=True)
def test_a_submission_is_graded_from_either(world, backend):
    job = submit(world.lab, world.student).jobs.get()
    run_job(job.pk)
    assert GradeReport.objects.get(job=job).score == 10


@pytest.mark.django_db(transaction=True)
def test_a_damaged_or_lost_file_is_our_fault_and_costs_no_attempt(world, backend):
    jobs = []
    for source, harm in ((RIGHT, backend.damage), (RIGHT + "\n", backend.lose)):
        submission = submit(world.lab, world.student, source)
        harm(submission.files.get().sha256)
        job = submission.jobs.get()
        run_job(job.pk, worker="one")
        run_job(job.pk, worker="two")
        job.refresh_from_db()
        jobs.append(job)
    assert [job.status for job in jobs] == ["needs staff", "needs staff"]
    assert not GradeReport.objects.exists()
    assert all(job.error for job in jobs)


@pytest.mark.django_db
def test_the_page_of_a_file_sends_its_bytes(world, backend, browser):
    submission = submit(world.lab, world.student)
    response = browser(world.student).get(f"/submissions/{submission.pk}/files/{submission.files.get().pk}/")
    assert b"".join(response) == RIGHT.encode()


@pytest.mark.django_db
def test_verifying_a_receipt_reads_either(world, backend, tmp_path):
    receipt = tmp_path / "receipt.json"
    submission = submit(world.lab, world.student)
    receipt.write_text(submission.signed_receipt.text)
    call_command("verify_receipt", str(receipt), "--stored", stdout=io.StringIO())
    backend.damage(submission.files.get().sha256)
    with pytest.raises(CommandError, match="not all stored"):
        call_command("verify_receipt", str(receipt), "--stored", stdout=io.StringIO())


@pytest.mark.usefixtures("files_dir")
class TestFolder:
    def test_what_is_stored_again_while_it_is_pruned_is_there_afterwards(self, files_dir):
        """Another process's `prune` has looked at the file and is about to delete it: `store` waits, and writes it anew."""
        sha256 = storage.store(b"x")
        with pruning(files_dir):
            storing = threading.Thread(target=storage.store, args=(b"x",))
            storing.start()
            storing.join(0.5)
            assert storing.is_alive()
            storage.path(sha256).unlink()
        storing.join()
        assert storage.read(sha256) == b"x"

    def test_nothing_is_pruned_while_it_is_stored_again(self, files_dir):
        """The other way: `store` has the lock, and makes the file young before `prune` looks at it."""
        sha256 = storage.store(b"x")
        os.utime(storage.path(sha256), (0, 0))
        with pruning(files_dir):
            prune = threading.Thread(target=lambda: storage.prune(keep=(), older_than_s=60))
            prune.start()
            prune.join(0.5)
            os.utime(storage.path(sha256))
        prune.join()
        assert storage.read(sha256) == b"x"

    def test_what_a_crash_left_half_written_is_no_file_and_goes_in_time(self):
        sha256 = storage.store(b"x")
        half = storage.path(sha256).with_name(".half")
        half.write_bytes(b"ha")
        assert list(storage.hashes()) == [sha256]
        os.utime(half, (0, 0))
        assert storage.prune(keep={sha256}, older_than_s=60) == 1
        assert not half.exists()

    @pytest.mark.django_db
    def test_a_store_that_takes_nothing_refuses_the_submission_with_a_sentence(self, world, settings, tmp_path):
        (tmp_path / "file").write_text("")
        settings.FILES_DIR = tmp_path / "file"
        with pytest.raises(SubmissionRefused, match="our fault; your draft is kept"):
            submit(world.lab, world.student)
        assert not Submission.objects.exists()


@pytest.mark.usefixtures("bucket")
class TestS3:
    def test_the_worker_keeps_what_it_fetched_and_checks_it_each_time(self, bucket):
        sha256 = storage.store(b"work")
        file = storage.path(sha256)
        Bucket(bucket).lose(sha256)
        assert storage.path(sha256).read_bytes() == b"work", "the second time it is not fetched"
        storage.store(b"work")
        file.write_bytes(b"rot")
        assert storage.path(sha256).read_bytes() == b"work", "damage in the cache is healed from the store"

    def test_what_was_not_used_for_a_day_leaves_the_cache(self):
        old, new = storage.store(b"old"), storage.store(b"new")
        file = storage.path(old)
        os.utime(file, (0, 0))
        storage.path(new)
        assert not file.exists()
        assert storage.path(old).read_bytes() == b"old"

    def test_the_server_keeps_a_checksum(self, bucket):
        sha256 = storage.store(b"x")
        head = bucket.meta.client.head_object(
            Bucket=bucket.name, Key=Bucket(bucket).key(sha256), ChecksumMode="ENABLED"
        )
        assert head["ChecksumSHA256"]

    def test_a_store_that_is_away_is_told_apart_from_a_missing_file(self, settings):
        settings.S3_OPTIONS = {**settings.S3_OPTIONS, "endpoint_url": "http://127.0.0.1:9"}
        for act in (
            lambda: storage.store(b"x"),
            lambda: storage.read("0" * 64),
            lambda: list(storage.hashes()),
            lambda: storage.prune(keep=(), older_than_s=0),
        ):
            with pytest.raises(StorageAway, match="cannot be used"):
                act()

    def test_a_bucket_that_does_not_exist_is_no_empty_store(self, settings):
        settings.S3_BUCKET = "never-made"
        for act in (lambda: storage.store(b"x"), lambda: list(storage.hashes()), lambda: storage.read("0" * 64)):
            with pytest.raises(StorageAway):
                act()

    @pytest.mark.django_db
    def test_while_it_is_away_a_submission_is_refused_and_nothing_is_stored(self, world, settings):
        settings.S3_OPTIONS = {**settings.S3_OPTIONS, "endpoint_url": "http://127.0.0.1:9"}
        with pytest.raises(SubmissionRefused, match="nothing was handed in"):
            submit(world.lab, world.student)
        assert not Submission.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_while_it_is_away_jobs_wait_however_long_and_are_graded_then(self, world, settings, at):
        from config import clock

        now, there = clock.now(), settings.S3_OPTIONS
        at(now)
        job = submit(world.lab, world.student).jobs.get()
        settings.S3_OPTIONS = {**there, "endpoint_url": "http://127.0.0.1:9"}
        for minute in range(5):
            at(now + timedelta(minutes=2 * minute))
            sweep()
            run_job(job.pk)
        job.refresh_from_db()
        assert (job.status, job.attempt) == ("running", 0)
        assert "S3" in job.error
        settings.S3_OPTIONS = there
        at(now + timedelta(minutes=12))
        run_job(job.pk)
        assert GradeReport.objects.get(job=job).score == 10
