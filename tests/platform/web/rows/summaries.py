"""Readings and their summaries: students write their own, staff read them."""

from __future__ import annotations

from submissions.drafts import save_draft
from submissions.models import DraftVersion
from tests.factories import summary
from tests.platform.web.rows import MEMBERS, OWN, Row

MODELS = (DraftVersion,)
STUDENTS = {"student", "classmate"}


def reading(things):
    return [things.offering.slug, things.reading.slug]


def make(world, things):
    """A draft with a version, and a second attempt."""
    draft = save_draft(assignment=things.reading, enrollment=world.student, sources={"problem": "mine"}, revision=0)
    return {"draft_version": draft.versions.get(), "second_summary": summary(things.reading, world.student)}


ROWS = {
    "reading": Row(MEMBERS, reading),
    "reading-draft": Row(STUDENTS, reading, "post", lambda _: {"cell-problem": "mine", "revision": "0"}, 302),
    # an empty post is refused with a sentence, on the reading page
    "reading-submit": Row(STUDENTS, reading, "post", found=422),
    "reading-preview": Row(STUDENTS, reading, "post", lambda _: {"text": "$x$"}),
    "reading-versions": Row(STUDENTS, reading),
    "reading-restore": Row(
        {"student"}, lambda things: [*reading(things), things.more["draft_version"].pk], "post", found=302
    ),
    "summary": Row(OWN, lambda things: [things.summary.pk]),
    "summary-compare": Row(OWN, lambda things: [things.summary.pk, things.more["second_summary"].pk]),
}
