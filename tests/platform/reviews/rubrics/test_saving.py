"""Saving a rubric: marks stay as they were given unless they are re-applied, nobody is overwritten unseen, and all of it comes back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from assignments.models import Kind
from audit.models import AuditEvent
from reviews.marking.models import Mark, Purpose
from reviews.marking.scores import hand_scores, latest_submissions
from reviews.marking.services import GivenMark, ReviewRefused, adjust, save_review
from reviews.models import Rubric, RubricItem
from reviews.rubrics.models import MarkChange, RubricChange
from reviews.rubrics.services import OutcomeChanged, RubricConflict, dry_run, revert, save_rubric
from reviews.rubrics.spec import RubricSpec, spec_of
from tests.factories import AssignmentFactory, ReadingFactory, person, reviewed, summary
from tests.platform.reviews.rubrics.specs import change_item, give_rubric, item, levels

pytestmark = pytest.mark.django_db


def total(work) -> tuple[Decimal, Decimal]:
    score = hand_scores([work])[work.pk]
    return score.total, score.points


def doubled(spec: RubricSpec) -> RubricSpec:
    """The first item worth 4, with its level 2 at 4 and its level 1 at 3."""
    return change_item(spec, 0, points=Decimal(4), levels=levels(k2=4, k1=3, k0=0))


@pytest.fixture
def work(world, proposal):
    made = summary(proposal, world.student)
    reviewed(made, world.ta, 1, 4)
    return made


def test_left_scores_stay_and_the_points_of_the_assignment_follow(work, proposal, stored, saved):
    saved(doubled(stored()))
    proposal.refresh_from_db()
    assert proposal.points == 8
    assert total(work) == (5, 6)
    assert [change.reapplied for change in RubricChange.objects.all()] == [False]


def test_re_applied_marks_take_the_points_of_their_level(work, stored, saved):
    saved(doubled(stored()), reapply=True)
    assert total(work) == (7, 8)
    assert [(mark.title, mark.score, mark.points) for mark in work.reviews.get().marks.all()] == [
        ("Idea", 3, 4),
        ("Plan", 4, 4),
    ]


def test_marks_that_were_left_can_follow_later(work, stored, saved):
    saved(doubled(stored()))
    saved(stored(), reapply=True)
    assert total(work) == (7, 8)


def test_a_mark_without_a_level_stays_whole(world, proposal, stored, saved):
    made = summary(proposal, world.student)
    reviewed_free = {
        row.pk: GivenMark(Decimal("1.5")) for row in RubricItem.objects.filter(rubric__assignment=proposal)
    }
    save_review(submission=made, by=world.ta.user, marks=reviewed_free)
    assert set(Mark.objects.values_list("level_key", flat=True)) == {None}
    plan = dry_run(assignment=proposal, spec=doubled(stored()), also=False).parts[0]
    assert (plan.students, plan.stay_without_level) == ((), 2)
    saved(doubled(stored()), reapply=True)
    assert total(made) == (3, 6)


def test_a_mark_whose_level_is_gone_stays(work, proposal, stored, saved):
    spec = change_item(stored(), 0, levels=levels(k2=2, k0=0))
    assert dry_run(assignment=proposal, spec=spec, also=False).parts[0].stay_without_level == 1
    saved(spec, reapply=True)
    assert total(work) == (5, 6)


def test_second_readings_and_earlier_attempts_follow_and_count_for_nobody(world, work, proposal, stored, saved):
    reviewed(work, world.instructor, 2, 2, purpose=Purpose.SECOND)
    newest = summary(proposal, world.student)
    reviewed(newest, world.ta, 0, 4)
    plan = dry_run(assignment=proposal, spec=doubled(stored()), also=False).parts[0]
    assert ([row.submission_pk for row in plan.students], plan.others) == ([newest.pk], 2)
    saved(doubled(stored()), reapply=True)
    assert work.reviews.second().get().marks.first().score == 4
    assert total(work) == (7, 8)


def test_an_item_that_leaves_is_retired_and_its_marks_stay(world, work, stored, saved):
    saved(RubricSpec(stored().items[1:]), reapply=True)
    assert [row.title for row in RubricItem.objects.filter(rubric__assignment=work.assignment)] == ["Plan"]
    assert total(work) == (5, 6)
    review = work.reviews.get()
    plan_item = stored().items[0]
    marks = {plan_item.pk: GivenMark(Decimal(2))}
    save_review(submission=work, by=world.ta.user, marks=marks, revision=review.revision)
    assert total(work) == (3, 6)
    retired = RubricItem.ever.get(title="Idea")
    again = {**marks, retired.pk: GivenMark(Decimal(2))}
    with pytest.raises(ReviewRefused, match="rubric has changed"):
        save_review(submission=work, by=world.ta.user, marks=again, revision=review.revision + 1)


def test_a_retired_item_comes_back_with_its_marks(work, stored, saved):
    whole = stored()
    saved(RubricSpec(whole.items[1:]))
    saved(whole)
    assert stored() == whole
    assert {mark.item_id for mark in work.reviews.get().marks.all()} == {row.pk for row in whole.items}


def test_a_new_item_leaves_reviews_incomplete_until_it_is_marked(world, work, proposal, stored, saved):
    spec = RubricSpec((*stored().items, item("risk")))
    plan = dry_run(assignment=proposal, spec=spec, also=False).parts[0]
    assert [(row.name, row.to_mark) for row in plan.incomplete] == [("Ada Lindqvist", 1)]
    saved(spec)
    plan = dry_run(assignment=proposal, spec=stored(), also=False).parts[0]
    assert [row.to_mark for row in plan.incomplete] == [1]
    review = work.reviews.get()
    marks = {row.pk: GivenMark(Decimal(2)) for row in stored().items}
    save_review(submission=work, by=world.ta.user, marks=marks, revision=review.revision)
    assert dry_run(assignment=proposal, spec=stored(), also=False).parts[0].incomplete == ()


def test_the_order_is_stored_and_changes_no_score(work, stored, saved):
    spec = RubricSpec(stored().items[::-1])
    saved(spec, reapply=False)
    assert [row.name for row in stored().items] == ["plan", "idea"]
    assert total(work) == (5, 6)


def test_the_short_name_of_a_stored_item_never_changes(stored, saved):
    saved(change_item(stored(), 0, name="other", title="Another title"))
    assert [row.name for row in stored().items] == ["idea", "plan"]


def test_two_instructors_do_not_overwrite_each_other(world, proposal, stored):
    options = {"assignment": proposal, "revision": Rubric.objects.get(assignment=proposal).revision, "reapply": False}
    save_rubric(spec=change_item(stored(), 0, title="Mine"), by=world.instructor.user, **options)
    with pytest.raises(RubricConflict, match="Ines Carvalho has saved this rubric since you opened it"):
        save_rubric(spec=change_item(stored(), 0, title="Yours"), by=world.instructor.user, **options)
    assert stored().items[0].title == "Mine"


def test_what_was_decided_on_is_what_happens_or_nothing(world, work, proposal, stored, saved):
    spec = doubled(stored())
    seen = dry_run(assignment=proposal, spec=spec, also=False).digest
    theirs = summary(proposal, world.classmate)
    reviewed(theirs, world.ta, 2, 2)
    with pytest.raises(OutcomeChanged) as refused:
        saved(spec, reapply=True, seen=seen)
    assert refused.value.outcome.students == 2
    assert total(work) == (5, 6)
    assert saved(spec, seen=seen).reapplied is False


def test_nothing_to_save_is_said(work, stored, saved):
    with pytest.raises(ReviewRefused, match="Nothing was changed"):
        saved(stored())
    with pytest.raises(ReviewRefused, match="Nothing was changed"):
        saved(stored(), reapply=True)


def test_scores_change_for_a_reason_alone(work, stored, saved):
    with pytest.raises(ReviewRefused, match="give a reason"):
        saved(doubled(stored()), reapply=True, reason=" x ")
    assert not RubricChange.objects.exists()
    assert saved(doubled(stored()), reason="").reason == ""


def test_the_log_keeps_who_from_to_and_why_of_rubric_and_scores(world, work, stored, saved):
    saved(doubled(stored()), reapply=True)
    score, rubric = AuditEvent.objects.all()[:2]
    assert (score.actor, score.subject_type, score.subject_id) == (world.instructor.user, "Submission", work.pk)
    assert ("Idea: 1" in score.before, "Idea: 3" in score.after) == (True, True)
    assert rubric.subject_type == "Rubric"
    assert "Idea (idea), 2 points" in rubric.before
    assert "Idea (idea), 4 points" in rubric.after
    assert "Ada Lindqvist: 5 of 6 → 7 of 8" in rubric.after
    assert {score.reason, rubric.reason} == {"the levels were too coarse"}


def test_a_change_is_reverted_whole_and_once(world, work, proposal, stored, saved):
    before = stored()
    change = saved(RubricSpec((*doubled(before).items[:1], item("risk"))), reapply=True)
    assert revert(change=change, by=world.instructor.user) is True
    proposal.refresh_from_db()
    assert (stored(), proposal.points, total(work)) == (before, 6, (5, 6))
    assert revert(change=change, by=world.instructor.user) is False
    assert AuditEvent.objects.filter(action="reverted the rubric", subject_id=work.pk).count() == 1


def test_a_mark_that_was_saved_since_keeps_the_change_from_being_reverted(world, work, stored, saved):
    change = saved(doubled(stored()), reapply=True)
    marks = {row.pk: GivenMark(Decimal(0)) for row in stored().items}
    save_review(submission=work, by=world.ta.user, marks=marks, revision=work.reviews.get().revision)
    with pytest.raises(ReviewRefused, match="One review was saved again after this"):
        revert(change=change, by=world.instructor.user)
    assert total(work) == (0, 8)


def test_a_later_edit_keeps_the_change_from_being_reverted(world, work, stored, saved):
    change = saved(doubled(stored()), reapply=True)
    saved(change_item(stored(), 1, title="The plan"))
    with pytest.raises(ReviewRefused, match="was changed after this"):
        revert(change=change, by=world.instructor.user)


def test_a_grader_who_has_the_page_open_meets_a_conflict_and_not_a_silent_change(world, work, stored, saved):
    revision = work.reviews.get().revision
    saved(doubled(stored()), reapply=True)
    assert work.reviews.get().revision == revision + 1


def test_the_others_of_its_kind_get_the_same_in_one_act(world, proposal, stored, saved):
    def deliverable(offering, slug):
        return AssignmentFactory(offering=offering, kind=Kind.DELIVERABLE, lab=None, slug=slug)

    report, elsewhere = deliverable(world.offering, "report"), deliverable(world.other_lab.offering, "report")
    give_rubric(report, item("idea"), item("figures"))
    give_rubric(elsewhere, item("idea"))
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    made = summary(report, world.student)
    reviewed(made, world.ta, 1, 2)
    before = spec_of(Rubric.objects.get(assignment=report))
    change = saved(doubled(stored()), reapply=True, also=True)
    now = spec_of(Rubric.objects.get(assignment=report))
    assert [(row.name, row.points) for row in now.items] == [("idea", 4), ("plan", 4)]
    assert now.items[0].pk == before.items[0].pk
    assert total(made) == (5, 6)  # 3 of 4 now, and the retired 2 of 2
    assert spec_of(Rubric.objects.get(assignment=elsewhere)).points == 2
    assert reading.rubric.items.count() == 6
    assert change.edits.count() == 2
    revert(change=change, by=world.instructor.user)
    assert spec_of(Rubric.objects.get(assignment=report)) == before
    assert total(made) == (3, 4)


@pytest.mark.parametrize(("score", "key"), [(2, "2"), (1, "1"), ("1.5", None)])
def test_points_that_one_level_has_are_that_level(world, proposal, score, key):
    made = summary(proposal, world.student)
    rows = RubricItem.objects.filter(rubric__assignment=proposal)
    save_review(
        submission=made,
        by=world.ta.user,
        marks={rows[0].pk: GivenMark(Decimal(score)), rows[1].pk: GivenMark(Decimal(0))},
    )
    assert made.reviews.get().marks.first().level_key == key


def test_points_that_two_levels_have_are_neither_unless_it_is_said(world, proposal):
    give_rubric(proposal, item("tie", 2, k3=2, k2=2))
    tie = RubricItem.objects.get(task_id="tie")
    first, second = summary(proposal, world.student), summary(proposal, world.classmate)
    save_review(submission=first, by=world.ta.user, marks={tie.pk: GivenMark(Decimal(2))})
    save_review(submission=second, by=world.ta.user, marks={tie.pk: GivenMark(Decimal(2), level_key="3")})
    assert [work.reviews.get().marks.get().level_key for work in (first, second)] == [None, "3"]


def test_a_save_that_keeps_the_points_keeps_the_level(world, work, stored, saved):
    saved(doubled(stored()))
    marks = {mark.item_id: GivenMark(mark.score) for mark in work.reviews.get().marks.all()}
    save_review(submission=work, by=world.ta.user, marks=marks, comment="and a word", revision=1)
    saved(stored(), reapply=True)
    assert total(work) == (7, 8)


def test_a_level_that_no_longer_gives_these_points_is_refused(world, proposal, stored, saved):
    made = summary(proposal, world.student)
    marks = {row.pk: GivenMark(Decimal(2), level_key="2") for row in stored().items}
    saved(doubled(stored()))
    with pytest.raises(ReviewRefused, match="in “Idea”, 2 no longer gives 2 points"):
        save_review(submission=made, by=world.ta.user, marks=marks)
    assert not Mark.objects.exists()


def test_adjustments_count_in_what_the_dry_run_shows(world, work, proposal, stored):
    adjust(submission=work, points=Decimal(1), reason="a fine figure", by=world.ta.user)
    row = dry_run(assignment=proposal, spec=doubled(stored()), also=False).parts[0].students[0]
    assert (row.before, row.before_max, row.after, row.after_max, row.direction) == (6, 6, 8, 8, "up")


def test_the_latest_submissions_of_several_assignments(world, proposal):
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    summary(proposal, world.student)
    wanted = {summary(proposal, world.student), summary(reading, world.student)}
    summary(reading, world.dropped)
    assert set(latest_submissions(proposal, reading)) == wanted


def test_a_class_costs_no_more_queries_to_try_out_and_only_its_log_to_re_apply(
    world, proposal, stored, saved, django_assert_max_num_queries
):
    for _ in range(12):
        reviewed(summary(proposal, person(world.offering)), world.ta, 1, 4)
    with django_assert_max_num_queries(14):
        dry_run(assignment=proposal, spec=doubled(stored()), also=True)
    saved(doubled(stored()), reapply=True)
    assert MarkChange.objects.count() == 12
