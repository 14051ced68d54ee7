"""Published tables, computed again."""

from __future__ import annotations

from tests.platform.web.rows import MEMBERS, Row


def offering(things) -> list:
    return [things.offering.slug]


ROWS = {
    "studies": Row(MEMBERS, offering),
    "study": Row(MEMBERS, lambda things: [things.offering.slug, "zero"]),
}
