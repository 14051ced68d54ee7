"""A whole lab graded again: nothing changes before it is applied, everything at once when it is, and all of it back on revert."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from audit.models import AuditEvent
from config import clock
from grading.models import GradingJob
from grading.selectors import attempts_used
from grading.services import regrade as run_again
from reviews.models import RubricScore
from reviews.regrades import services
from reviews.regrades.models import Act, LabRegrade, Scope, ScoreChange
from reviews.regrades.rules import RegradeRefused
from reviews.regrades.selectors import regrade_page
from reviews.scores import score_all
from reviews.services import override, release
from submissions.models import Submission
from tests.factories import failed, finished, person, refused, reported, republish, submit

pytestmark = pytest.mark.django_db
SITE = "https://gradlab.example.edu/"


@pytest.fixture
def changed(world, tmp_path):
    """The lab with a newer version, whose first check is worth 10 points and not 4."""

    def publish():
        republish(world.lab, tmp_path / "newer")
        world.lab.refresh_from_db()
        return world.lab

    return publish


def start(world, scope=Scope.COUNTING) -> LabRegrade:
    return services.start(assignment=world.lab, scope=scope, by=world.ta.user)


def apply(regrade, world, reason="The first check was worth too little."):
    return services.apply(regrade=regrade, reason=reason, by=world.instructor.user, site=SITE)


def revert(regrade, world, reason="The new check was wrong."):
    return services.revert(regrade=regrade, reason=reason, by=world.instructor.user, site=SITE)


def job_of(regrade, submission) -> GradingJob:
    return regrade.items.get(submission=submission).job


def scores_of(world, *, for_staff=False) -> dict[int, tuple]:
    rows = score_all(Submission.objects.filter(assignment=world.lab).order_by("pk"), for_staff=for_staff)
    return {row.submission.pk: (row.score, row.max_score, row.chip, row.pending, row.graded_by) for row in rows}


def row_of(regrade, world, student):
    rows = regrade_page(world.ta, LabRegrade.objects.get(pk=regrade.pk)).rows
    return next(row for row in rows if row.student == student.user.name)


class TestPublishing:
    def test_a_new_version_changes_nobodys_score(self, world, changed):
        reported(submit(world.lab, world.student), 6.0, 1.0)
        before = scores_of(world)
        changed()
        assert scores_of(world) == before

    def test_work_that_waits_is_graded_by_the_version_it_was_handed_in_for(self, world, changed):
        submission, old = submit(world.lab, world.student), world.lab.lab
        changed()
        assert submission.jobs.get().lab == old
        assert submit(world.lab, world.student).jobs.get().lab == world.lab.lab != old

    def test_staff_see_which_scores_come_from_an_older_version(self, world, changed):
        from reviews.lists import submissions_page

        reported(submit(world.lab, world.student))
        assert submissions_page(world.ta, world.lab).older == 0
        reported(submit(changed(), world.student))
        page = submissions_page(world.ta, world.lab)
        assert (page.older, [row.older for row in page.rows]) == (1, [False, True])


class TestDryRun:
    def test_runs_count_for_nobody(self, world, changed):
        submission = reported(submit(world.lab, world.student), 6.0, 1.0)
        changed()
        before = scores_of(world)
        regrade = start(world)
        assert scores_of(world) == before
        finished(job_of(regrade, submission), 12.0, 4.0, (12.0, 4.0))
        assert scores_of(world) == before
        assert scores_of(world, for_staff=True)[submission.pk][0] == 7

    def test_it_repeats_the_draw_of_the_report_that_counts(self, world):
        submission = reported(submit(world.lab, world.student))
        job = job_of(start(world), submission)
        assert (job.seed, job.counts, job.lab) == (submission.jobs.get(counts=True).seed, False, world.lab.lab)

    def test_the_attempt_that_counts_runs_or_all_of_them(self, world):
        best = reported(submit(world.lab, world.student), 6.0, 4.0)
        reported(submit(world.lab, world.student), 1.0, 0.0)
        theirs = submit(world.lab, world.classmate)
        submit(world.lab, world.dropped)
        regrade = start(world)
        assert {item.submission for item in regrade.items.all()} == {best, theirs}
        services.discard(regrade=regrade, by=world.ta.user)
        assert start(world, Scope.ALL).items.count() == 3

    def test_students_can_hand_in_and_staff_can_run_one_again_meanwhile(self, world, settings):
        settings.GRADING_MAX_WAITING = 1
        submission = reported(submit(world.lab, world.student))
        start(world)
        run_again(submission=submission, by=world.ta.user)
        submission.jobs.filter(counts=True).update(cancelled_at=clock.now())
        assert submit(world.lab, world.student).number == 2

    def test_one_at_a_time(self, world):
        reported(submit(world.lab, world.student))
        start(world)
        with pytest.raises(RegradeRefused, match="Regrade 1 is a dry run already"):
            start(world)
        assert LabRegrade.objects.count() == 1

    def test_without_work_there_is_nothing_to_run(self, world):
        with pytest.raises(RegradeRefused, match="Nobody has submitted"):
            start(world)

    def test_discarding_stops_what_runs_and_leaves_every_score(self, world):
        submission = reported(submit(world.lab, world.student), 6.0, 1.0)
        before = scores_of(world)
        regrade = start(world)
        assert services.discard(regrade=regrade, by=world.ta.user)
        assert not services.discard(regrade=regrade, by=world.ta.user)
        assert job_of(regrade, submission).status == "cancelled"
        assert scores_of(world) == before
        with pytest.raises(RegradeRefused, match="no dry run any more"):
            apply(regrade, world)


class TestApplying:
    def test_the_new_report_is_the_score_and_revert_brings_the_old_one(self, world, changed):
        submission = reported(submit(world.lab, world.student), 6.0, 1.0)
        changed()
        regrade = start(world)
        finished(job_of(regrade, submission), 12.0, 1.0, (12.0, 4.0))
        assert row_of(regrade, world, world.student).change == 6
        assert apply(regrade, world)
        assert scores_of(world)[submission.pk][:2] == (13, 16)
        assert revert(regrade, world)
        assert scores_of(world)[submission.pk][:2] == (7, 10)

    def test_an_act_done_twice_is_done_once(self, world):
        submission = reported(submit(world.lab, world.student), 6.0, 1.0)
        regrade = start(world)
        finished(job_of(regrade, submission), 6.0, 4.0)
        assert (apply(regrade, world), apply(regrade, world)) == (True, False)
        assert (revert(regrade, world), revert(regrade, world)) == (True, False)
        actions = list(AuditEvent.objects.order_by("pk").values_list("actor_name", "action", "after", "reason"))
        assert actions[1:] == [
            ("Ines Carvalho", "applied a regrade", "1 up, 0 down, 0 the same", "The first check was worth too little."),
            ("Ines Carvalho", "reverted a regrade", "0 up, 1 down, 0 the same", "The new check was wrong."),
        ]

    def test_it_waits_for_the_last_run(self, world):
        submission = reported(submit(world.lab, world.student))
        regrade = start(world)
        with pytest.raises(RegradeRefused, match="1 run has not ended yet"):
            apply(regrade, world)
        finished(job_of(regrade, submission))
        assert apply(regrade, world)

    @pytest.mark.parametrize("reason", ["", "  ", "ok"])
    def test_it_needs_a_reason_and_so_does_taking_it_back(self, world, reason):
        submission = reported(submit(world.lab, world.student), 1.0, 1.0)
        regrade = start(world)
        finished(job_of(regrade, submission))
        before = scores_of(world)
        with pytest.raises(RegradeRefused, match="reason"):
            apply(regrade, world, reason)
        assert scores_of(world) == before
        apply(regrade, world)
        with pytest.raises(RegradeRefused, match="reason"):
            revert(regrade, world, reason)

    def test_a_version_published_meanwhile_makes_a_dry_run_stale(self, world, changed):
        submission = reported(submit(world.lab, world.student))
        regrade = start(world)
        finished(job_of(regrade, submission))
        changed()
        with pytest.raises(RegradeRefused, match="newer version"):
            apply(regrade, world)

    def test_the_latest_regrade_is_taken_back_first(self, world):
        submission = reported(submit(world.lab, world.student), 1.0, 1.0)
        made = []
        for score in (2.0, 3.0):
            made.append(start(world))
            finished(job_of(made[-1], submission), score, 1.0)
            apply(made[-1], world)
        with pytest.raises(RegradeRefused, match="Regrade 2 was applied after this one"):
            revert(made[0], world)
        seen = []
        for regrade in reversed(made):
            revert(regrade, world)
            seen.append(scores_of(world)[submission.pk][0])
        assert seen == [3, 2]

    def test_an_override_stands_as_it_is(self, world, changed):
        submission = reported(submit(world.lab, world.student), 3.0, 4.0)
        item = world.lab.rubric.items.get(task_id="1")
        override(submission=submission, item=item, score=Decimal("5.5"), reason="partial credit", by=world.ta.user)
        release(submission=submission, by=world.ta.user)
        changed()
        before = list(RubricScore.objects.values())
        regrade = start(world)
        finished(job_of(regrade, submission), 12.0, 1.0, (12.0, 4.0))
        row = row_of(regrade, world, world.student)
        assert (row.overridden, row.before, row.after) == (True, Decimal("9.5"), Decimal("6.5"))
        apply(regrade, world)
        assert scores_of(world)[submission.pk][0] == Decimal("6.5")
        revert(regrade, world)
        assert list(RubricScore.objects.values()) == before

    def test_an_override_of_a_task_that_is_gone_stands_and_adds_nothing(self, world):
        from reviews.selectors import result_page
        from submissions.access import get_submission_for

        submission = reported(submit(world.lab, world.student), 3.0, 4.0)
        gone = world.lab.rubric.items.create(task_id="9", title="Gone", points=5, position=9)
        override(submission=submission, item=gone, score=Decimal(5), reason="partial credit", by=world.ta.user)
        page = result_page(get_submission_for(world.ta.user, submission.pk))
        assert scores_of(world, for_staff=True)[submission.pk][0] == page.total == 7

    def test_an_attempt_made_meanwhile_is_not_touched(self, world, changed):
        old = reported(submit(world.lab, world.student), 3.0, 4.0)
        changed()
        regrade = start(world)
        newer = submit(world.lab, world.student)
        finished(newer.jobs.get(), 12.0, 4.0, (12.0, 4.0))
        finished(job_of(regrade, old), 4.0, 4.0, (12.0, 4.0))
        row = row_of(regrade, world, world.student)
        assert (row.submission_pk, row.before, row.after, row.ran, row.group) == (newer.pk, 16, 16, False, "same")
        before = scores_of(world)[newer.pk]
        apply(regrade, world)
        assert scores_of(world)[newer.pk] == before
        assert not ScoreChange.objects.get().tells

    def test_where_points_fell_the_best_attempt_is_still_the_best(self, world):
        best = reported(submit(world.lab, world.student), 6.0, 4.0)
        reported(submit(world.lab, world.student), 6.0, 0.0)
        regrade = start(world)
        finished(job_of(regrade, best), 3.0, 2.0, (3.0, 2.0))
        row = row_of(regrade, world, world.student)
        assert (row.submission_pk, row.after, row.after_max) == (best.pk, 5, 5)


class TestRunsWithoutAScore:
    @pytest.mark.parametrize("end", [failed, refused])
    def test_the_old_score_stays_and_the_run_is_listed(self, world, end):
        good = reported(submit(world.lab, world.student), 3.0, 1.0)
        bad = reported(submit(world.lab, world.classmate), 3.0, 1.0)
        regrade = start(world)
        finished(job_of(regrade, good), 6.0, 1.0)
        end(job_of(regrade, bad))
        before = scores_of(world)[bad.pk]
        page = regrade_page(world.ta, regrade)
        assert [(problem.submission_pk, problem.ours) for problem in page.problems] == [(bad.pk, end is failed)]
        assert (page.totals.up, page.totals.no_score, page.totals.failed) == (1, 1, int(end is failed))
        apply(regrade, world)
        assert scores_of(world)[bad.pk] == before
        assert attempts_used(world.lab, world.classmate) == 1

    def test_when_no_run_gave_a_score_there_is_nothing_to_apply(self, world):
        submission = reported(submit(world.lab, world.student))
        regrade = start(world)
        failed(job_of(regrade, submission))
        with pytest.raises(RegradeRefused, match="nothing to apply"):
            apply(regrade, world)


class TestTable:
    def test_it_names_tasks_and_checks_that_changed(self, world):
        submission = reported(submit(world.lab, world.student), 6.0, 1.0)
        regrade = start(world)
        finished(job_of(regrade, submission), 6.0, 4.0)
        row = row_of(regrade, world, world.student)
        assert [(task.id, task.before, task.after) for task in row.tasks] == [("2", 1, 4)]
        assert [(check.title, check.before, check.after) for check in row.checks] == [("scales", "partly", "passed")]

    def test_it_says_the_same_after_applying_and_after_later_work(self, world):
        submission = reported(submit(world.lab, world.student), 6.0, 1.0)
        regrade = start(world)
        finished(job_of(regrade, submission), 3.0, 1.0)
        planned = row_of(regrade, world, world.student)
        apply(regrade, world)
        reported(submit(world.lab, world.student), 6.0, 4.0)
        assert row_of(regrade, world, world.student) == planned
        revert(regrade, world)
        assert row_of(regrade, world, world.student) == planned

    def test_who_loses_points_comes_first(self, world):
        students = [person(world.offering) for _ in range(3)]
        made = [reported(submit(world.lab, student), 3.0, 1.0) for student in students]
        regrade = start(world)
        for submission, score in zip(made, (3.0, 6.0, 1.0), strict=True):
            finished(job_of(regrade, submission), score, 1.0)
        page = regrade_page(world.ta, regrade)
        assert [row.group for row in page.rows] == ["down", "up", "same"]
        assert (page.before, sorted(page.after)) == ((4, 4, 4), [2, 4, 7])

    def test_equal_points_out_of_more_are_less(self, world):
        submission = reported(submit(world.lab, world.student), 3.0, 1.0)
        regrade = start(world)
        finished(job_of(regrade, submission), 3.0, 1.0, (12.0, 4.0))
        row = row_of(regrade, world, world.student)
        assert (row.change, row.group) == (0, "down")
        apply(regrade, world)
        assert ScoreChange.objects.get().tells


@pytest.mark.parametrize("seed", range(8))
def test_apply_then_revert_restores_every_number(world, changed, seed):
    """Random classes: attempts, overrides released and not, runs that score, fail or are refused."""
    random = Random(seed)
    for student in [world.student, world.classmate, *(person(world.offering) for _ in range(4))]:
        for _ in range(random.randrange(1, 4)):
            submission = reported(submit(world.lab, student), random.randrange(7), random.randrange(5))
            if random.random() < 0.4:
                item = random.choice(world.lab.rubric.items.all())
                override(submission=submission, item=item, score=Decimal(3), reason="because", by=world.ta.user)
                if random.random() < 0.5:
                    release(submission=submission, by=world.ta.user)
    changed()
    before, overrides = (scores_of(world), scores_of(world, for_staff=True)), list(RubricScore.objects.values())
    regrade = start(world, random.choice(list(Scope)))
    for item in regrade.items.all():
        end = random.choice([finished, finished, failed, refused])
        end(item.job, *((random.randrange(13), random.randrange(5), (12.0, 4.0)) if end is finished else ()))
    if not apply(regrade, world):
        pytest.fail("it was not applied")
    assert (scores_of(world), scores_of(world, for_staff=True)) != before
    assert list(RubricScore.objects.values()) == overrides
    assert revert(regrade, world)
    assert (scores_of(world), scores_of(world, for_staff=True)) == before
    assert list(RubricScore.objects.values()) == overrides
    back = {row.enrollment_id: row for row in ScoreChange.objects.filter(act=Act.REVERTED)}
    for row in ScoreChange.objects.filter(act=Act.APPLIED):
        assert (row.before, row.after) == (back[row.enrollment_id].after, back[row.enrollment_id].before)
