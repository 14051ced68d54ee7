"""The frozen grades in the shape in which pages read live ones, so that a page need not know which of them it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from courses.models import Offering
from gradebook.book.parts import Score, State
from gradebook.freezing.selectors import FrozenGrades, final_of
from gradebook.models import Decision
from gradebook.sources.collect import Book, collect
from gradebook.sources.origins import NOTHING, Origin

NOT_DUE = Score(State.NOT_DUE)


def frozen_book(offering: Offering) -> Book | None:
    """The final grades, each number with where it came from when it was frozen; None while the grades are not frozen."""
    found = final_of(offering)
    return _book(found, collect(offering)) if found else None


def _book(found: FrozenGrades, live: Book) -> Book:
    """Ranks are among those of the snapshot, whoever dropped since; who came since has no frozen grade and is not listed.

    Frozen numbers are final, so none of them waits for a release.
    """
    content = found.content
    keys = [part.key for part in content.parts]
    recorded = {(pk, key): student.origins.get(key, {}) for pk, student in content.students.items() for key in keys}
    decisions = _decisions(recorded)
    origins = {
        at: _origin(said, decisions)._replace(attempts=live.origins.get(at, NOTHING).attempts)
        for at, said in recorded.items()
    }
    return Book(
        policy=content.policy,
        parts=content.parts,
        students=tuple(student for student in live.students if student.pk in content.students),
        scores={
            pk: {key: student.scores.get(key, NOT_DUE) for key in keys} for pk, student in content.students.items()
        },
        origins=origins,
        works={key: work for key, work in live.works.items() if key in set(keys)},
    )


def _decisions(recorded: Mapping[tuple[int, str], Mapping[str, Any]]) -> dict[int, Decision]:
    """Those by which a frozen number stands, by their ids, also where they were withdrawn since. One query."""
    wanted = {said["decision"]["id"] for said in recorded.values() if "decision" in said}
    return Decision.objects.select_related("assignment", "component", "made_by").in_bulk(wanted)


def _origin(said: Mapping[str, Any], decisions: Mapping[int, Decision]) -> Origin:
    return Origin(
        submission_pk=said.get("submission"),
        attempt=said.get("attempt"),
        overridden=bool(said.get("set_by_staff")),
        settled=True,
        decision=decisions.get(said["decision"]["id"]) if "decision" in said else None,
    )
