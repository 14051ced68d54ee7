"""Classes with grades that need no grader: staff decided every number. Small, exact and random, for tests of schemes and snapshots."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from assignments.models import Kind
from config import clock
from courses.models import Enrollment, Offering
from gradebook.models import Component, Decision
from gradebook.policies.spec import ComponentSpec, LetterSpec, SchemeSpec
from gradebook.presets import COMPONENTS, LETTERS, weights
from gradebook.services import create_scheme
from tests.factories import AssignmentFactory, OfferingFactory, ReadingFactory, person

NUMBERS = ("participation", "presentation")


def decide(student: Enrollment, part: object, points: str | None, most: str = "100") -> Decision:
    """Points by decision at an assignment, or at a component that is one number; None excuses."""
    where = {"component": part} if isinstance(part, Component) else {"assignment": part}
    given = {"excused": True} if points is None else {"points": Decimal(points), "max_points": Decimal(most)}
    return Decision.objects.create(enrollment=student, reason="because", made_at=clock.now(), **where, **given)


def small_class(size: int = 4, offering: Offering | None = None) -> tuple[Offering, list[Enrollment]]:
    """Scheme A, one lab, one reading, and students without any number."""
    offering = offering or OfferingFactory()
    create_scheme(offering=offering, weights=weights("A"))
    if not offering.assignments.filter(kind=Kind.LAB).exists():
        AssignmentFactory(offering=offering, slug="tiny", number=1)
    ReadingFactory(assignment__offering=offering, assignment__slug="paper", assignment__number=1, position=1)
    return offering, [person(offering) for _ in range(size)]


def random_scores(offering: Offering, students: list[Enrollment], seed: int) -> None:
    """A number, an excuse or nothing for each student at each part."""
    random = Random(seed)
    parts = [*offering.components.filter(kind__in=NUMBERS), *offering.assignments.all()]
    for student in students:
        for part in parts:
            if random.random() < 0.8:
                decide(
                    student, part, random.choice([None, *(f"{random.randrange(0, 1200)}e-1" for _ in range(6))]), "120"
                )


def random_scheme(seed: int) -> SchemeSpec:
    """A scheme that may stand: random weights, letters and policies, and sometimes a component of its own."""
    random = Random(seed)
    rows = [
        ComponentSpec(
            kind,
            name,
            Decimal(0),
            count,
            drop_lowest=random.choice((0, 0, 1)),
            by_points=random.random() < 0.3,
            extra_credit=kind == "presentation" and random.random() < 0.3,
        )
        for kind, name, count in COMPONENTS
    ]
    if random.random() < 0.3:
        rows.append(ComponentSpec("own-extra", "Extra", Decimal(0)))
    counted = [place for place, row in enumerate(rows) if not row.extra_credit]
    shares = _split(random, len(counted))
    new = dict(zip(counted, shares, strict=True))
    components = tuple(
        ComponentSpec(
            row.kind, row.name, new.get(place, Decimal(5)), row.count, row.drop_lowest, row.by_points, row.extra_credit
        )
        for place, row in enumerate(rows)
    )
    moved = random.choice((0, 0, 3, -3))
    letters = tuple(
        LetterSpec(letter, Decimal(absolute + moved if absolute else 0), share)
        for (letter, absolute, _), share in zip(LETTERS, _split(random, len(LETTERS)), strict=True)
    )
    return SchemeSpec(
        components,
        letters,
        relative_from=random.choice((1, 3, 10)),
        round_to=random.choice((None, Decimal("0.5"), Decimal(1))),
        show_letters=random.random() < 0.5,
    )


def _split(random: Random, parts: int) -> list[Decimal]:
    """100, in so many parts of hundredths."""
    cuts = sorted(random.randrange(0, 10_001) for _ in range(parts - 1))
    return [Decimal(end - start) / 100 for start, end in zip([0, *cuts], [*cuts, 10_000], strict=True)]
