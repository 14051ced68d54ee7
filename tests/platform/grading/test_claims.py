"""One worker at a time: the race for a claim, the fence, the lease, the duplicate message."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from config import clock
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading import claims
from grading.models import GradeReport, GradingJob
from grading.runner import run_job
from tests.factories import submit

ROOT = Path(__file__).resolve().parents[3]
REPORT = Report(Outcome.GRADED, 7.5, 10.0, seed=1)


@pytest.fixture
def job(world) -> GradingJob:
    return submit(world.lab, world.student).jobs.get()


@pytest.mark.django_db
class TestOneWorker:
    def test_a_claim_takes_the_lease_and_the_next_fence(self, job):
        held = claims.claim(job_id=job.pk, worker="one")
        job.refresh_from_db()
        assert (held.fence, job.fence, job.worker, job.status) == (1, 1, "one", "running")
        assert timedelta(seconds=50) < job.lease_until - clock.now() <= timedelta(seconds=60)

    def test_a_second_claim_finds_nothing(self, job):
        assert claims.claim(job_id=job.pk, worker="one")
        assert claims.claim(job_id=job.pk, worker="two") is None

    def test_a_lease_that_ran_out_can_be_claimed_again(self, job, at):
        start = clock.now()
        first = claims.claim(job_id=job.pk, worker="one")
        at(start + timedelta(seconds=61))
        second = claims.claim(job_id=job.pk, worker="two")
        assert second.fence == first.fence + 1

    def test_a_heartbeat_keeps_the_lease(self, job, at):
        start = clock.now()
        held = claims.claim(job_id=job.pk, worker="one")
        at(start + timedelta(seconds=50))
        assert claims.heartbeat(held)
        at(start + timedelta(seconds=100))
        assert claims.claim(job_id=job.pk, worker="two") is None

    def test_the_old_fence_writes_nothing(self, job, at):
        start = clock.now()
        old = claims.claim(job_id=job.pk, worker="one")
        at(start + timedelta(seconds=61))
        new = claims.claim(job_id=job.pk, worker="two")
        assert not claims.heartbeat(old)
        assert not claims.record_report(old, REPORT)
        assert not claims.record_fault(old, error="no")
        assert not GradeReport.objects.exists()
        assert claims.record_report(new, REPORT)
        assert GradeReport.objects.get().score == 7.5

    def test_a_report_is_written_once(self, job):
        held = claims.claim(job_id=job.pk, worker="one")
        assert claims.record_report(held, REPORT)
        assert not claims.record_report(held, REPORT)
        assert GradeReport.objects.count() == 1

    @pytest.mark.parametrize("end", ["finished_at", "failed_at", "cancelled_at"])
    def test_an_ended_job_cannot_be_claimed(self, job, end):
        GradingJob.objects.update(**{end: clock.now()})
        assert claims.claim(job_id=job.pk, worker="one") is None

    def test_a_stored_report_comes_back_as_it_was(self, job):
        claims.record_report(claims.claim(job_id=job.pk, worker="one"), REPORT)
        assert GradeReport.objects.get().report == REPORT


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_of_many_threads_one_claims(self, job):
        start, won = threading.Barrier(8), []

        def race(number: int) -> None:
            start.wait()
            if held := claims.claim(job_id=job.pk, worker=str(number)):
                won.append(held)
            connection.close()

        threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        job.refresh_from_db()
        assert len(won) == 1
        assert job.fence == 1

    def test_of_several_processes_one_claims(self, job):
        program = (
            "import sys, django; django.setup();"
            "from django.db import connection;"
            f"connection.settings_dict['NAME'] = {connection.settings_dict['NAME']!r};"
            "from grading import claims;"
            f"print(bool(claims.claim(job_id={job.pk}, worker=sys.argv[1])))"
        )
        environment = {
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "GRADLAB_DATA_DIR": str(django_settings.DATA_DIR),
        }
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(n)], env=environment, stdout=subprocess.PIPE, text=True
            )
            for n in range(3)
        ]
        said = sorted(racer.communicate(timeout=60)[0].strip() for racer in racers)
        assert said == ["False", "False", "True"]

    def test_the_same_message_twice_grades_once(self, job):
        run_job(job.pk)
        run_job(job.pk)
        job.refresh_from_db()
        assert (job.fence, job.status) == (1, "finished")
        assert GradeReport.objects.count() == 1

    def test_messages_delivered_together_grade_once(self, job):
        start = threading.Barrier(2)

        def deliver() -> None:
            start.wait()
            run_job(job.pk)
            connection.close()

        threads = [threading.Thread(target=deliver) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert GradeReport.objects.count() == 1
        assert GradingJob.objects.get().fence == 1
