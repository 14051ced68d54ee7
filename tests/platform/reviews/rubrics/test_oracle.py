"""Random rubrics, marks and edits: who changes and by how much, against a count on plain numbers that knows no plan."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviews.marking.models import Adjustment, Mark, Purpose
from reviews.marking.scores import hand_scores
from reviews.marking.services import GivenMark, adjust, save_review
from reviews.models import Rubric, RubricItem
from reviews.rubrics.services import dry_run, revert, save_rubric
from reviews.rubrics.spec import ItemSpec, LevelSpec, RubricSpec, spec_of
from reviews.rubrics.words import differences
from tests.factories import summary
from tests.platform.reviews.rubrics.specs import give_rubric

pytestmark = pytest.mark.django_db
HALVES = st.integers(0, 8).map(lambda halves: Decimal(halves) / 2)


@st.composite
def level_lists(draw, most: Decimal) -> tuple[LevelSpec, ...]:
    keys = draw(st.lists(st.sampled_from("0123"), unique=True, max_size=4))
    return tuple(LevelSpec(key, min(draw(HALVES), most), f"level {key}") for key in keys)


@st.composite
def items(draw, name: str, pk: int | None = None) -> ItemSpec:
    points = draw(st.integers(1, 8).map(lambda halves: Decimal(halves) / 2))
    title = draw(st.sampled_from((name, f"{name} anew")))
    return ItemSpec(name, title, points, levels=draw(level_lists(points)), pk=pk)


@st.composite
def rubrics(draw) -> tuple[ItemSpec, ...]:
    return tuple(draw(items(f"item-{place}")) for place in range(draw(st.integers(1, 4))))


@st.composite
def edits(draw, spec: RubricSpec) -> RubricSpec:
    kept = [
        draw(items(item.name, item.pk)) if draw(st.booleans()) else item for item in spec.items if draw(st.booleans())
    ]
    new = [draw(items(f"new-{place}")) for place in range(draw(st.integers(0 if kept else 1, 2)))]
    return RubricSpec(tuple(draw(st.permutations([*kept, *new]))))


def mark_all(draw, submission, by, purpose=Purpose.FIRST) -> None:
    given = {}
    for item in RubricItem.objects.filter(rubric__assignment=submission.assignment).prefetch_related("levels"):
        level = draw(st.sampled_from([None, *item.levels.all()]))
        score = level.points if level else min(draw(HALVES), item.points)
        given[item.pk] = GivenMark(score, level_key=level.key if level else None)
    save_review(submission=submission, by=by, marks=given, purpose=purpose)


def counted(review, spec: RubricSpec) -> tuple[Decimal, Decimal]:
    """What a review is worth after the edit, counted by hand from the rows as they are."""
    total = points = Decimal(0)
    for mark in Mark.objects.filter(review=review):
        score, most = mark.score, mark.points
        for item in spec.items:
            if item.pk == mark.item_id:
                for level in item.levels:
                    if level.key == mark.level_key:
                        score, most = level.points, item.points
        total, points = total + score, points + most
    for adjustment in Adjustment.objects.filter(submission=review.submission):
        total += adjustment.points
    return (Decimal(0) if total < 0 else points if total > points else total), points


def scores(works) -> dict[int, tuple[Decimal, Decimal]]:
    return {pk: (score.total, score.points) for pk, score in hand_scores(works).items()}


def rows() -> list[dict]:
    fields = ("review", "item", "title", "points", "score", "level_key", "comment")
    return list(Mark.objects.order_by("pk").values(*fields))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_who_changes_is_who_changes(world, proposal, data):
    with transaction.atomic():
        try_one(world, proposal, data.draw)
        transaction.set_rollback(True)


def try_one(world, assignment, draw) -> None:
    give_rubric(assignment, *draw(rubrics()))
    spec = spec_of(Rubric.objects.get(assignment=assignment))
    works = [summary(assignment, who) for who in (world.student, world.classmate)]
    for work in works:
        if draw(st.booleans()):
            mark_all(draw, work, world.ta.user)
            if draw(st.booleans()):
                mark_all(draw, work, world.instructor.user, Purpose.SECOND)
            points = draw(st.sampled_from((None, Decimal("0.5"), Decimal("-0.5"))))
            if points is not None:
                adjust(submission=work, points=points, reason="because", by=world.ta.user)
    new = draw(edits(spec))
    before, marks = scores(works), rows()
    after = {work.pk: counted(review, new) for work in works for review in work.reviews.counting()}
    plan = dry_run(assignment=assignment, spec=new, also=False)
    shown = {
        row.submission_pk: ((row.before, row.before_max), (row.after, row.after_max)) for row in plan.parts[0].students
    }
    assert shown == {pk: (before[pk], after[pk]) for pk in before if before[pk] != after[pk]}
    assert (scores(works), rows()) == (before, marks)
    if plan.is_empty:
        assert differences(spec, new) == ()
        return
    save(world, assignment, new, reapply=True)
    assert scores(works) == after
    revert(change=Rubric.objects.get(assignment=assignment).edits.latest("pk").change, by=world.instructor.user)
    assert (scores(works), rows()) == (before, marks)
    assert spec_of(Rubric.objects.get(assignment=assignment)) == spec
    if plan.parts[0].changes:
        save(world, assignment, new, reapply=False)
        assert (scores(works), rows()) == (before, marks)


def save(world, assignment, spec: RubricSpec, *, reapply: bool) -> None:
    revision = Rubric.objects.get(assignment=assignment).revision
    save_rubric(
        assignment=assignment, spec=spec, revision=revision, by=world.instructor.user, reapply=reapply, reason="because"
    )
