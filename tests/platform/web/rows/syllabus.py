"""Topics and the library: for everyone in the offering."""

from __future__ import annotations

from tests.platform.web.rows import MEMBERS, Row


def offering(things) -> list:
    return [things.offering.slug]


def of(what: str):
    return lambda things: [things.offering.slug, what]


ROWS = {
    "topic": Row(MEMBERS, of("zero")),
    "library": Row(MEMBERS, offering),
    "library-page": Row(MEMBERS, of("zero")),
    "library-source": Row(MEMBERS, of("mlsys_core/parallelism/zero/flat.py")),
}
