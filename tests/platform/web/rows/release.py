"""Releases, score sheets and the audit log."""

from __future__ import annotations

from typing import Any

from reviews.releases.models import Release, ReleaseItem, ReleaseMail
from reviews.releases.services import release
from tests.platform.web.rows import STAFF, Row


def offering(things: Any) -> list[Any]:
    return [things.offering.slug]


def reading(things: Any) -> list[Any]:
    return [things.offering.slug, things.reading.slug]


def made(things: Any) -> list[Any]:
    return [*reading(things), things.more["release"].pk]


ROWS = {
    "release": Row(STAFF, reading),
    # what is final is for instructors
    "release-now": Row({"instructor"}, reading, "post", lambda _: {"partial": "yes"}, 302),
    "release-undo": Row({"instructor"}, made, "post", found=302),
    "release-retract": Row({"instructor"}, made, "post", lambda _: {"reason": "because"}, 302),
    "scores-file": Row(STAFF, offering),
    "score-sheet": Row(STAFF, reading),
    "score-sheet-file": Row(STAFF, reading),
    # a post without a file is refused with a sentence, and one without a preview too
    "score-sheet-preview": Row({"instructor"}, reading, "post", found=422),
    "score-sheet-apply": Row({"instructor"}, reading, "post", found=302),
    "audit": Row(STAFF, offering),
    "audit-file": Row(STAFF, offering),
}
MODELS = (Release, ReleaseItem, ReleaseMail)


def make(world: Any, things: Any) -> dict[str, Any]:
    """A release of the reading that can still be undone."""
    return {"release": release(assignment=things.reading, by=world.instructor.user)}
