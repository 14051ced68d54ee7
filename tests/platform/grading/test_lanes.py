"""Whose turn it is: lanes, one running job a student, the back of the line, re-runs last; and many workers at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, connection

from assignments.models import Lab
from assignments.services import publish_lab
from config import clock
from grader.contract import GradeReport as Report
from grader.contract import LabSummary, Outcome
from grading import claims, services
from grading.models import GradingJob, Lane
from grading.runner import job_spec, run_job
from grading.sweep import sweep
from tests.factories import TINY, person, practice, reported, submit

ROOT = Path(__file__).resolve().parents[3]
REPORT = Report(Outcome.GRADED, 7.5, 10.0, seed=1)
TRIES = 1000


def job_of(world, student, source: str = "") -> GradingJob:
    return submit(world.lab, student, f"# {source}\n").jobs.get()


def take(worker: str = "one", lane: Lane = Lane.GRADING) -> claims.Claim | None:
    return claims.claim_next(lane=lane, worker=worker)


def served(count: int, lane: Lane = Lane.GRADING) -> list[int]:
    """The ids of the jobs that one worker takes and finishes, one after the other."""
    taken = []
    for _ in range(count):
        held = take(lane=lane)
        assert claims.record_report(held, REPORT)
        taken.append(held.job_id)
    return taken


@pytest.mark.django_db
class TestTurns:
    def test_five_of_one_student_do_not_hold_up_the_others(self, world):
        greedy = [job_of(world, world.student).pk for _ in range(5)]
        others = [job_of(world, person(world.offering)).pk for _ in range(8)]
        assert served(13) == [greedy[0], *others, *greedy[1:]]

    def test_each_turn_takes_one_of_each_student(self, world):
        first = [job_of(world, world.student).pk for _ in range(3)]
        second = [job_of(world, world.classmate).pk for _ in range(2)]
        assert served(5) == [first[0], second[0], first[1], second[1], first[2]]

    def test_who_comes_later_waits_behind_who_was_there(self, world):
        mine = [job_of(world, world.student).pk for _ in range(2)]
        assert served(1) == [mine[0]]
        later = job_of(world, world.classmate).pk
        assert served(2) == [mine[1], later], "the back of the line was before the newcomer"

    def test_a_student_has_one_running_job_in_a_lane(self, world):
        job_of(world, world.student)
        waiting = job_of(world, world.student)
        held = take("one")
        assert take("two") is None
        assert claims.claim(job_id=waiting.pk, worker="two") is None
        assert claims.record_report(held, REPORT)
        assert take("two").job_id == waiting.pk

    def test_the_database_holds_it_whatever_the_code_does(self, world):
        job_of(world, world.student)
        job_of(world, world.student)
        with pytest.raises(IntegrityError):
            GradingJob.objects.update(started_at=clock.now())

    def test_run_checks_does_not_wait_for_the_students_submission(self, world):
        job_of(world, world.student)
        mine = practice(world.lab, world.student)
        assert take()
        assert take(lane=Lane.INTERACTIVE).job_id == mine.pk

    def test_what_staff_run_again_comes_last(self, world):
        done = [reported(submit(world.lab, student)) for student in (world.student, world.classmate)]
        again = [services.regrade(submission=submission, by=world.ta.user).pk for submission in done]
        new = job_of(world, person(world.offering)).pk
        assert served(3) == [new, *again]

    def test_the_same_student_is_not_pushed_back_by_what_staff_run_again(self, world):
        done = reported(submit(world.lab, world.student))
        services.regrade(submission=done, by=world.ta.user)
        held = take()
        mine, theirs = job_of(world, world.student), job_of(world, world.classmate)
        assert claims.record_report(held, REPORT)
        assert served(2) == [mine.pk, theirs.pk]

    def test_a_stopped_job_frees_its_students_next_one(self, world):
        first, second = job_of(world, world.student), job_of(world, world.student)
        assert take().job_id == first.pk
        assert services.cancel(job=first, by=world.student.user)
        assert take().job_id == second.pk


@pytest.mark.django_db(transaction=True)
class TestMessages:
    def test_a_message_runs_the_job_whose_turn_it_is(self, world):
        first, named = job_of(world, world.student), job_of(world, world.classmate)
        run_job(named.pk)
        first.refresh_from_db()
        named.refresh_from_db()
        assert (first.status, named.status) == ("finished", "requested")

    def test_a_message_that_finds_the_student_busy_is_not_lost_and_makes_no_noise(self, world, live_redis):
        job_of(world, world.student)
        waiting = job_of(world, world.student)
        held = take()
        live_redis.flushall()
        run_job(waiting.pk, worker="two")
        assert live_redis.llen("grading") == 0, "nothing goes round in circles"
        assert sweep().redriven == 0, "while nobody may take it, nobody is nudged"
        claims.record_report(held, REPORT)
        assert live_redis.llen("grading") == 1, "the end of the first nudges for the second"
        run_job(waiting.pk, worker="two")
        waiting.refresh_from_db()
        assert waiting.status == "finished"

    def test_the_sweeper_sends_it_when_the_nudge_was_lost(self, world, live_redis):
        job_of(world, world.student)
        waiting = job_of(world, world.student)
        held = take()
        run_job(waiting.pk, worker="two")
        claims.record_report(held, REPORT)
        live_redis.flushall()
        GradingJob.objects.filter(pk=waiting.pk).update(queued_at=None)
        assert sweep().redriven == 1

    def test_a_long_queue_does_not_grow_with_every_sweep(self, world, live_redis, at, settings):
        jobs = [job_of(world, person(world.offering)) for _ in range(3)]
        at(clock.now() + timedelta(seconds=10 * settings.GRADING_REDISPATCH_S))
        assert sweep().redriven == 0, "the messages lie in the queue, however old they are"
        live_redis.lpop("grading")
        assert sweep().redriven == 1
        assert live_redis.llen("grading") == len(jobs)

    def test_a_message_of_a_job_that_is_gone_is_let_pass(self, world):
        waiting = job_of(world, world.student)
        run_job(10**9)
        waiting.refresh_from_db()
        assert waiting.status == "requested"


@pytest.mark.django_db(transaction=True)
class TestLaneOfALab:
    @pytest.fixture
    def gpu_lab(self, db, tmp_path) -> Lab:  # noqa: ARG002 - a fixture cannot be marked as using another
        folder = tmp_path / "on-gpu"
        shutil.copytree(TINY, folder)
        text = (folder / "lab.toml").read_text()
        (folder / "lab.toml").write_text(f'device = "gpu"\n{text}')
        return publish_lab(folder)

    def test_a_lab_that_asks_for_a_gpu_waits_for_one(self, world, gpu_lab, live_redis):
        assert gpu_lab.on_gpu
        assert not world.lab.lab.on_gpu
        world.lab.lab = gpu_lab
        world.lab.save()
        assert [job_of(world, world.student).lane, practice(world.lab, world.classmate).lane] == [Lane.GPU, Lane.GPU]
        assert {name: live_redis.llen(name) for name in Lane} == {"gpu": 2, "grading": 0, "interactive": 0}
        assert take() is None
        assert take(lane=Lane.GPU)

    def test_a_lab_for_any_device_waits_for_a_gpu_only_where_the_installation_has_one(self, world, tmp_path, settings):
        folder = tmp_path / "any"
        shutil.copytree(TINY, folder)
        text = (folder / "lab.toml").read_text()
        (folder / "lab.toml").write_text(f'device = "any"\n{text}')
        without = publish_lab(folder)
        settings.GPU_LABS = True
        with_one = publish_lab(folder)
        assert [without.on_gpu, with_one.on_gpu] == [False, True]
        assert without.version != with_one.version
        lanes = []
        for lab, student in ((without, world.student), (with_one, world.classmate)):
            world.lab.lab = lab
            world.lab.save()
            job = job_of(world, student)
            lanes.append((job.lane, job_spec(job).gpu))
        assert lanes == [(Lane.GRADING, False), (Lane.GPU, True)]

    def test_a_version_published_by_an_earlier_grader_learns_where_it_runs(self, gpu_lab, tmp_path):
        known = msgspec.json.decode(gpu_lab.manifest)
        del known["on_gpu"]
        Lab.objects.filter(pk=gpu_lab.pk).update(manifest=msgspec.json.encode(known).decode())
        assert not Lab.objects.get(pk=gpu_lab.pk).on_gpu
        assert publish_lab(tmp_path / "on-gpu").pk == gpu_lab.pk
        assert Lab.objects.get(pk=gpu_lab.pk).on_gpu
        assert isinstance(gpu_lab.summary, LabSummary)


@pytest.mark.django_db(transaction=True)
class TestManyWorkers:
    def test_of_two_that_claim_at_once_one_wins_a_thousand_times(self, world):
        job_of(world, world.student)
        wins = race(lambda worker: take(worker) is not None)
        assert set(wins) == {1}
        assert GradingJob.objects.get().fence == TRIES, "and nobody raised the fence without winning"

    def test_two_jobs_of_one_student_never_run_at_once(self, world):
        jobs = {str(number): job_of(world, world.student).pk for number in range(2)}
        wins = race(lambda worker: claims.claim(job_id=jobs[worker], worker=worker) is not None, tries=200)
        assert set(wins) == {1}

    def test_processes_drain_a_lane_and_take_each_job_once(self, world):
        students = [person(world.offering) for _ in range(5)]
        total = sum(bool(job_of(world, student)) for student in students for _ in range(5))
        program = (
            "import sys, django; django.setup();"
            "from django.db import connection;"
            f"connection.settings_dict['NAME'] = {connection.settings_dict['NAME']!r};"
            "from grader.contract import GradeReport, Outcome;"
            "from grading import claims;"
            "report = GradeReport(Outcome.GRADED, 1.0, 1.0, seed=1);"
            "take = lambda: claims.claim_next(lane='grading', worker=sys.argv[1]);\n"
            "from grading.models import GradingJob\n"
            "while GradingJob.objects.active().exists():\n"
            "    held = take()\n"
            "    if held and claims.record_report(held, report): print(held.job_id)\n"
        )
        environment = {
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "GRADLAB_DATA_DIR": str(django_settings.DATA_DIR),
            "GRADLAB_LOG_LEVEL": "ERROR",
        }
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(n)], env=environment, stdout=subprocess.PIPE, text=True
            )
            for n in range(3)
        ]
        taken = Counter(line for worker in workers for line in worker.communicate(timeout=60)[0].split())
        assert len(taken) == total
        assert set(taken.values()) == {1}
        assert set(GradingJob.objects.values_list("fence", flat=True)) == {1}


def race(act, *, tries: int = TRIES) -> list[int]:
    """How many of two threads won each try; the jobs wait again before the next one."""
    won: list[str] = []
    wins: list[int] = []

    def put_back() -> None:
        wins.append(len(won))
        won.clear()
        GradingJob.objects.update(started_at=None, lease_until=None)

    start, end = threading.Barrier(2), threading.Barrier(2, action=put_back)

    def worker(name: str) -> None:
        for _ in range(tries):
            start.wait(timeout=30)
            if act(name):
                won.append(name)
            end.wait(timeout=30)
        connection.close()

    threads = [threading.Thread(target=worker, args=(str(number),)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wins
