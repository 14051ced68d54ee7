"""The frozen grades in the shape in which pages read live ones, so that a page need not know which of them it shows."""

from __future__ import annotations

from courses.models import Offering
from gradebook.book.parts import Score, State
from gradebook.freezing.selectors import FrozenGrades, final_of
from gradebook.sources.collect import Book, collect
from gradebook.sources.origins import NOTHING

NOT_DUE = Score(State.NOT_DUE)


def frozen_book(offering: Offering) -> Book | None:
    """The final grades, with today's links to where each number came from; None while the grades are not frozen."""
    found = final_of(offering)
    return _book(found, collect(offering)) if found else None


def _book(found: FrozenGrades, live: Book) -> Book:
    """Ranks are among those of the snapshot, whoever dropped since; who came since has no frozen grade and is not listed.

    Frozen numbers are final, so none of them waits for a release.
    """
    content = found.content
    keys = [part.key for part in content.parts]
    origins = {
        (pk, key): live.origins.get((pk, key), NOTHING)._replace(pending=False, settled=True)
        for pk in content.students
        for key in keys
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
