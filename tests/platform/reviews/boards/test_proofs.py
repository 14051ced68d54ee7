"""Entries come from our own runs: asked for once, on fresh inputs, read when they end, made anew for a new version of the lab."""

from __future__ import annotations

import pytest

from assignments.services import assign_lab
from grading.models import GradingJob
from reviews.boards.models import BoardProof, BoardResult
from reviews.boards.proofs import drive_proofs
from reviews.boards.services import join, leave
from reviews.scores import score_all
from tests.platform.reviews.boards.board_lab import publish_boarded
from tests.platform.reviews.boards.conftest import run_all

pytestmark = pytest.mark.django_db(transaction=True)


def values() -> list[float]:
    return list(BoardResult.objects.values_list("value", flat=True))


def test_a_member_gets_an_entry_and_nobody_else_does(world, lab, hand_in, prove):
    hand_in(world.student, "5")
    hand_in(world.classmate, "3")
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    prove()
    assert values() == [5]
    result = BoardResult.objects.get()
    assert (result.check_name, result.what, result.less_is_better) == ("test_add::test_cost", "cost", True)


def test_our_run_draws_other_inputs_and_is_what_counts(world, lab, hand_in, prove):
    """A program that knows the inputs of its own run is asked again with others."""
    first = hand_in(world.student, "1 + draw")
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    prove()
    own, ours = GradingJob.objects.filter(submission=first).order_by("pk")
    assert own.seed != ours.seed
    report = ours.stored_report.report
    measured = next(check.measurement.value for check in report.checks if check.measurement)
    assert values() == [measured]


def test_our_run_changes_nobodys_score_and_costs_no_attempt(world, lab, hand_in, prove):
    submission = hand_in(world.student, "100")
    before = score_all([submission], for_staff=False)
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    prove()
    ours = GradingJob.objects.get(counts=False)
    assert (ours.submission_id, ours.rerun) == (submission.pk, True)
    assert [row.score for row in score_all([submission], for_staff=False)] == [row.score for row in before]


def test_only_what_promises_more_is_run_again(world, lab, hand_in, prove):
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    for cost in ("5", "7", "4"):
        hand_in(world.student, cost)
        prove()
    assert values() == [5, 4]
    assert [proof.job is not None for proof in BoardProof.objects.all()] == [True, False, True]
    assert BoardProof.objects.filter(settled_at=None).count() == 0


def test_a_check_that_was_not_passed_is_no_claim(world, lab, hand_in, prove):
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    hand_in(world.student, "-1")
    prove()
    assert values() == []
    assert BoardProof.objects.get().job is None


def test_a_run_of_ours_that_fails_gives_no_entry(world, lab, hand_in, prove):
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    hand_in(world.student, "3")
    drive_proofs()
    GradingJob.objects.filter(counts=False).update(cancelled_at="2026-02-20T00:00:00Z")
    drive_proofs()
    assert values() == []
    assert BoardProof.objects.get().settled_at is not None


def test_one_run_of_a_member_is_under_way_at_a_time(world, lab, hand_in):
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    for cost in ("5", "4", "3"):
        hand_in(world.student, cost)
    drive_proofs()
    drive_proofs()
    assert GradingJob.objects.filter(counts=False).count() == 1


def test_a_new_version_of_the_lab_proves_everything_anew(world, lab, hand_in, prove):
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    hand_in(world.student, "5")
    prove()
    assign_lab(assignment=lab, lab=publish_boarded(version=2))
    prove()
    first, second = BoardProof.objects.order_by("pk")
    assert first.lab_id != second.lab_id
    assert values() == [5, 5]


def test_leaving_deletes_the_entries_and_stops_what_waits(world, lab, hand_in, prove):
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    hand_in(world.student, "5")
    prove()
    hand_in(world.student, "4")
    drive_proofs()
    assert leave(assignment=lab, enrollment=world.student)
    assert not leave(assignment=lab, enrollment=world.student)
    assert (values(), BoardProof.objects.count()) == ([], 0)
    assert GradingJob.objects.filter(counts=False, cancelled_at__isnull=False).count() == 1
    run_all()
    drive_proofs()
    assert values() == []


def test_coming_back_begins_anew(world, lab, hand_in, prove):
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    hand_in(world.student, "5")
    prove()
    leave(assignment=lab, enrollment=world.student)
    join(assignment=lab, enrollment=world.student, name="Warp Ten")
    prove()
    assert values() == [5]
