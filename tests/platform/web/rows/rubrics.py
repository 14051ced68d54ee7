"""Rubrics, the comment bank, adjustments."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from reviews.bank import add_comment
from reviews.marking.models import Adjustment
from reviews.marking.services import adjust
from reviews.models import Rubric, RubricItem, RubricLevel
from reviews.rubrics.models import BankComment, MarkChange, RubricChange, RubricEdit
from reviews.rubrics.services import save_rubric
from reviews.rubrics.spec import RubricSpec, spec_of
from reviews.rubrics.typed import from_spec
from tests.platform.web.rows import STAFF, Row

MODELS = (Rubric, RubricItem, RubricLevel, RubricChange, RubricEdit, MarkChange, BankComment)


def rubric(things):
    return [things.offering.slug, things.reading.slug]


def change(things):
    return [*rubric(things), things.more["rubric_change"].pk]


def comment(things):
    return [*rubric(things), things.more["bank_comment"].pk]


def adjustment(things):
    return [things.more["adjustment"].pk]


def renamed(spec: RubricSpec, title: str) -> RubricSpec:
    return RubricSpec((msgspec.structs.replace(spec.items[0], title=title), *spec.items[1:]))


def form(things):
    stored = Rubric.objects.get(assignment=things.reading)
    data = {}
    for name, value in from_spec(renamed(spec_of(stored), "Posted"), stored.revision).fields():
        data.setdefault(name, []).append(value)
    return data


ROWS = {
    "rubrics": Row(STAFF, lambda things: [things.offering.slug]),
    "rubric": Row(STAFF, rubric),
    "rubric-file": Row(STAFF, rubric),
    "rubric-edit": Row({"instructor"}, rubric),
    "rubric-draft": Row({"instructor"}, rubric, "post", form),
    # without a file there is nothing to read
    "rubric-read": Row({"instructor"}, rubric, "post", found=302),
    "rubric-preview": Row({"instructor"}, rubric, "post", form),
    "rubric-save": Row({"instructor"}, rubric, "post", form, 302),
    "rubric-change": Row(STAFF, change),
    "rubric-revert": Row({"instructor"}, change, "post", found=302),
    "rubric-comments": Row(STAFF, rubric),
    "bank-add": Row(
        STAFF, rubric, "post", lambda things: {"item": things.review.marks.first().item_id, "text": "Well seen."}, 302
    ),
    "bank-edit": Row(STAFF, comment, "post", lambda _: {"text": "Said better."}, 302),
    "bank-remove": Row(STAFF, comment, "post", found=302),
    "bank-restore": Row(STAFF, comment, "post", found=302),
    "submission-adjustments": Row(STAFF, lambda things: [things.summary.pk]),
    "submission-adjust": Row(
        STAFF, lambda things: [things.summary.pk], "post", lambda _: {"points": "1", "reason": "because"}, 302
    ),
    "adjustment-withdraw": Row(STAFF, adjustment, "post", found=302),
    "adjustment-restore": Row(STAFF, adjustment, "post", found=302),
}


def make(world, things):
    stored = Rubric.objects.get(assignment=things.reading)
    made = save_rubric(
        assignment=things.reading,
        spec=renamed(spec_of(stored), "The problem itself"),
        revision=stored.revision,
        by=world.instructor.user,
        reapply=True,
    )
    item = stored.items.first()
    adjustment: Adjustment = adjust(
        submission=things.summary, points=Decimal(1), reason="a fine figure", by=world.ta.user
    )
    return {
        "rubric_change": made,
        "bank_comment": add_comment(item=item, text="Say to whom it matters.", by=world.ta.user),
        "adjustment": adjustment,
    }
