"""Boards of best results."""

from __future__ import annotations

from typing import Any

from reviews.boards.models import BoardMember, BoardProof, BoardResult
from reviews.boards.services import join
from tests.factories import AssignmentFactory
from tests.platform.reviews.boards.board_lab import publish_boarded
from tests.platform.web.rows import MEMBERS, STAFF, Row


def lab(things: Any) -> list[Any]:
    return [things.offering.slug, things.more["boarded"].slug]


def member(things: Any) -> list[Any]:
    return [*lab(things), things.more["board_member"].pk]


ROWS = {
    "boards": Row(MEMBERS, lab),
    # an empty name is refused with a sentence, on the page; staff are not on boards
    "board-join": Row(MEMBERS, lab, "post", found=422, fields=frozenset({"name"})),
    "board-leave": Row(MEMBERS, lab, "post", found=302),
    "board-hide": Row(STAFF, member, "post", lambda _: {"reason": "because"}, 302),
    "board-show": Row(STAFF, member, "post", found=302),
}
MODELS = (BoardMember, BoardProof, BoardResult)


def make(world: Any, things: Any) -> dict[str, Any]:
    """A lab with a board, and the student on it."""
    boarded = AssignmentFactory(offering=things.offering, slug="boarded", lab=publish_boarded())
    return {"boarded": boarded, "board_member": join(assignment=boarded, enrollment=world.student, name="Warp Nine")}
