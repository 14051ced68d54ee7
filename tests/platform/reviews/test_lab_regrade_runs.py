"""A regrade through the real grader, of a lab whose points really changed; and several people acting at the same moment."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.core import mail
from django.db import connection

from assignments.services import publish_lab
from audit.models import AuditEvent
from config import clock
from grading.models import GradingJob
from grading.runner import run_job
from reviews.regrades import services
from reviews.regrades.models import LabRegrade, Scope, ScoreChange
from reviews.regrades.rules import RegradeRefused
from reviews.regrades.selectors import regrade_page
from reviews.scores import score_all
from submissions import storage
from submissions.models import Submission
from tests.factories import HALF, RIGHT, TINY, WRONG, WorkerFactory, finished, graded, reported, republish, submit
from tests.platform.grading.canaries import damage, mend, send

pytestmark = pytest.mark.django_db(transaction=True)
SITE = "https://gradlab.example.edu/"


def scores_of(world) -> list[tuple]:
    rows = score_all(Submission.objects.filter(assignment=world.lab).order_by("pk"), for_staff=False)
    return [(row.score, row.max_score) for row in rows]


def together(*acts) -> list:
    """What each of the acts returned, all of them started at the same moment."""
    start, got = threading.Barrier(len(acts)), []

    def run(act) -> None:
        start.wait()
        try:
            got.append(act())
        except RegradeRefused as refusal:
            got.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(acts)
    return got


def test_points_that_really_changed_are_really_given(world, tmp_path):
    made = [graded(world.lab, world.student, RIGHT), graded(world.lab, world.classmate, HALF)]
    assert scores_of(world) == [(10, 10), (6, 10)]
    republish(world.lab, tmp_path / "newer", adds=10)
    world.lab.refresh_from_db()
    late = graded(world.lab, world.student, WRONG)
    regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    # a file that is not what was received any more is our fault; the other run is not
    storage.path(made[1].files.get().sha256).write_bytes(b"something else")
    for item in regrade.items.all():
        run_job(item.job_id, worker="one")
        run_job(item.job_id, worker="two")
    assert scores_of(world) == [(10, 10), (6, 10), (0, 16)]
    page = regrade_page(world.ta, regrade)
    assert {row.student: (row.before, row.after, row.group) for row in page.rows} == {
        "Ada Lindqvist": (10, 16, "up"),
        "Kofi Mensah": (6, 6, "no score"),
    }
    assert [(problem.submission_pk, problem.ours) for problem in page.problems] == [(made[1].pk, True)]
    assert services.apply(regrade=regrade, reason="Worth more.", by=world.instructor.user, site=SITE)
    assert scores_of(world) == [(16, 16), (6, 10), (0, 16)]
    assert [message.to for message in mail.outbox] == [[world.student.user.email]]
    assert services.revert(regrade=regrade, reason="Not worth more.", by=world.instructor.user, site=SITE)
    assert scores_of(world) == [(10, 10), (6, 10), (0, 16)]
    assert late.jobs.get().counts


def test_work_that_waits_while_a_version_is_published_is_graded_by_its_own(world, tmp_path):
    submission = submit(world.lab, world.student, RIGHT)
    republish(world.lab, tmp_path / "newer", adds=10)
    run_job(submission.jobs.get().pk)
    assert scores_of(world) == [(10, 10)]


@pytest.fixture
def over(world) -> LabRegrade:
    """A dry run that is over and gives Ada 3 points more."""
    reported(submit(world.lab, world.student), 3.0, 1.0)
    regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    finished(regrade.items.get().job, 6.0, 1.0)
    return regrade


@pytest.mark.parametrize("act", [services.apply, services.revert])
def test_four_clicks_of_two_people_are_one_act(world, over, act):
    if act is services.revert:
        services.apply(regrade=over, reason="because", by=world.instructor.user, site=SITE)
    told, lines = len(mail.outbox), AuditEvent.objects.count()
    people = [world.instructor.user, world.ta.user] * 2
    # each click has read the regrade before any of them acts
    clicks = [(by, LabRegrade.objects.get(pk=over.pk)) for by in people]
    got = together(*(lambda by=by, own=own: act(regrade=own, reason="because", by=by, site=SITE) for by, own in clicks))
    assert Counter(got) == {True: 1, False: 3}
    assert scores_of(world) == ([(7, 10)] if act is services.apply else [(4, 10)])
    assert (len(mail.outbox) - told, AuditEvent.objects.count() - lines) == (1, 1)


def test_applying_and_discarding_at_once_does_one_of_them(world, over):
    got = together(
        lambda: services.apply(regrade=over, reason="because", by=world.instructor.user, site=SITE),
        lambda: services.discard(regrade=LabRegrade.objects.get(pk=over.pk), by=world.ta.user),
    )
    assert sorted(type(one).__name__ for one in got) == ["RegradeRefused", "bool"]
    regrade = LabRegrade.objects.get()
    assert (regrade.applied_at is None) != (regrade.discarded_at is None)
    assert ScoreChange.objects.exists() == regrade.stands


def test_two_who_start_at_once_start_one(world):
    reported(submit(world.lab, world.student))
    got = together(*[lambda: services.start(assignment=world.lab, scope=Scope.ALL, by=world.ta.user)] * 3)
    assert Counter(type(one).__name__ for one in got) == {"LabRegrade": 1, "RegradeRefused": 2}
    assert LabRegrade.objects.get().items.count() == 1


def test_what_a_worker_found_before_it_failed_its_proof_is_not_applied(world, tmp_path, settings):
    settings.LABS_DIR = tmp_path / "labs"
    publish_lab(TINY)
    worker, other = WorkerFactory(), WorkerFactory()
    submission = graded(world.lab, world.student, RIGHT)

    def dry_run(name: str) -> LabRegrade:
        regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
        finished(regrade.items.get().job, 0.0, 0.0)
        GradingJob.objects.filter(regrade_item__regrade=regrade).update(worker=name)
        return regrade

    doubtful = dry_run(worker.name)
    damage(world.lab.lab)
    send(worker, world.lab.lab)
    with pytest.raises(RegradeRefused, match=r"^1 run was made by a worker that failed its own proof"):
        services.apply(regrade=doubtful, reason="a mended check", by=world.instructor.user, site=SITE)
    assert scores_of(world) == [(10, 10)]
    mend(world.lab.lab)
    send(worker, world.lab.lab)  # back in service, which mends no report
    assert "failed its own proof" in regrade_page(world.instructor, doubtful).why_not_apply
    services.discard(regrade=doubtful, by=world.instructor.user)
    submission.jobs.filter(finished_at=None).update(cancelled_at=clock.now())  # what the canary asked for
    assert services.apply(regrade=dry_run(other.name), reason="again", by=world.instructor.user, site=SITE)
