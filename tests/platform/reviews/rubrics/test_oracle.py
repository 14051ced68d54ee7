"""Random rubrics, marks and edits: who changes and by how much, against a count on plain numbers that knows no plan."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random

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
from tests.factories import person, summary
from tests.platform.reviews.rubrics.specs import give_rubric

pytestmark = pytest.mark.django_db
EXAMPLES = 50


def halves(random: Random, most: Decimal) -> Decimal:
    return Decimal(random.randint(0, int(most * 2))) / 2


def some_levels(random: Random, most: Decimal) -> tuple[LevelSpec, ...]:
    keys = random.sample("0123", random.choice((0, 2, 3, 4)))
    return tuple(LevelSpec(key, halves(random, most), f"level {key}") for key in keys)


def some_item(random: Random, name: str, pk: int | None = None) -> ItemSpec:
    points = halves(random, Decimal(3)) + Decimal("0.5")
    title = random.choice((name, f"{name} anew"))
    return ItemSpec(name, title, points, levels=some_levels(random, points), pk=pk)


def some_edit(random: Random, spec: RubricSpec) -> RubricSpec:
    """Some items stay, some change, some leave, some are new, in any order."""
    items = [
        random.choice((item, some_item(random, item.name, item.pk))) for item in spec.items if random.random() < 0.8
    ]
    items += [some_item(random, f"new-{place}") for place in range(random.randint(0 if items else 1, 1))]
    return RubricSpec(tuple(random.sample(items, len(items))))


def mark_all(random: Random, submission, by, purpose=Purpose.FIRST) -> None:
    given = {}
    for item in RubricItem.objects.filter(rubric__assignment=submission.assignment).prefetch_related("levels"):
        level = random.choice([None, *item.levels.all()])
        score = level.points if level else halves(random, item.points)
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


def test_who_changes_is_who_changes(world, proposal):
    met: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=st.integers(0, 10**9))
    def try_many(seed: int) -> None:
        with transaction.atomic():
            try_one(world, proposal, Random(seed), met)
            transaction.set_rollback(True)

    try_many()
    # examples in which nothing happens show nothing
    assert met["changed"] > EXAMPLES // 5
    assert min(met["up"], met["down"], met["left"]) > 5


def try_one(world, assignment, random: Random, met: Counter[str]) -> None:
    give_rubric(assignment, *(some_item(random, f"item-{place}") for place in range(random.randint(1, 4))))
    spec = spec_of(Rubric.objects.get(assignment=assignment))
    works = [summary(assignment, who) for who in (world.student, world.classmate, person(world.offering))]
    for work in works[: random.randint(1, 3)]:
        mark_all(random, work, world.ta.user)
        if random.random() < 0.3:
            mark_all(random, work, world.instructor.user, Purpose.SECOND)
        if random.random() < 0.3:
            points = random.choice((Decimal("0.5"), Decimal("-0.5")))
            adjust(submission=work, points=points, reason="because", by=world.ta.user)
    new = some_edit(random, spec)
    before, marks = scores(works), rows()
    after = {work.pk: counted(review, new) for work in works for review in work.reviews.counting()}
    plan = dry_run(assignment=assignment, spec=new, also=False)
    shown = {
        row.submission_pk: ((row.before, row.before_max), (row.after, row.after_max)) for row in plan.parts[0].students
    }
    assert shown == {pk: (before[pk], after[pk]) for pk in before if before[pk] != after[pk]}
    assert (scores(works), rows()) == (before, marks)
    met.update(row.direction for row in plan.parts[0].students)
    met["changed"] += bool(shown)
    if plan.is_empty:
        assert differences(spec, new) == ()
        return
    change = save(world, assignment, new, reapply=True)
    assert scores(works) == after
    revert(change=change, by=world.instructor.user)
    assert (scores(works), rows()) == (before, marks)
    assert spec_of(Rubric.objects.get(assignment=assignment)) == spec
    if plan.parts[0].changes:
        save(world, assignment, new, reapply=False)
        assert (scores(works), rows()) == (before, marks)
        met["left"] += 1


def save(world, assignment, spec: RubricSpec, *, reapply: bool):
    revision = Rubric.objects.get(assignment=assignment).revision
    return save_rubric(
        assignment=assignment, spec=spec, revision=revision, by=world.instructor.user, reapply=reapply, reason="because"
    )
