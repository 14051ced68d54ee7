"""Two clicks at once, two students at once: every accepted submission is there, once."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from grading.models import GradingJob
from submissions.models import Submission
from submissions.services import SubmissionRefused
from tests.factories import submit

pytestmark = pytest.mark.django_db(transaction=True)


def together(acts) -> list:
    """What each of the acts returned, all of them started at the same moment."""
    start, got = threading.Barrier(len(acts)), []

    def run(act) -> None:
        start.wait()
        try:
            got.append(act())
        except SubmissionRefused as refusal:
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


def test_a_double_click_is_one_submission(world):
    got = together([lambda: submit(world.lab, world.student, client_token="click")] * 4)
    assert {submission.pk for submission in got} == {Submission.objects.get().pk}
    assert GradingJob.objects.count() == 1


def test_submissions_of_one_moment_are_all_kept_and_numbered(world):
    got = together([lambda: submit(world.lab, world.student)] * 3 + [lambda: submit(world.lab, world.classmate)] * 3)
    assert len({submission.pk for submission in got}) == 6
    for student in (world.student, world.classmate):
        numbers = Submission.objects.filter(enrollment=student).values_list("number", flat=True)
        assert sorted(numbers) == [1, 2, 3]
    assert GradingJob.objects.count() == 6


def test_the_last_attempt_is_given_once(world):
    world.lab.max_attempts = 1
    world.lab.save()
    got = together([lambda: submit(world.lab, world.student)] * 3)
    assert sum(isinstance(one, Submission) for one in got) == 1
    assert Submission.objects.count() == 1


def test_many_presses_at_once_do_not_flood_the_queue_either(world, settings):
    settings.GRADING_MAX_WAITING = 2
    got = together([lambda: submit(world.lab, world.student)] * 5)
    assert sum(isinstance(one, Submission) for one in got) == 2
    assert GradingJob.objects.count() == Submission.objects.count() == 2
