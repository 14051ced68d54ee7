"""A grading scheme as a value: what the editor means, what a change stores. Only `spec_of` reads rows."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from courses.models import Offering
from gradebook.book.parts import ComponentRule, LetterRule, Policy
from gradebook.models import Component, GradePolicy, LetterCutoff

OWN = "own"
"""Kinds of components that hold nothing but points that staff enter begin with this."""


class ComponentSpec(msgspec.Struct, frozen=True):
    """A component; `kind` tells which one it is, whatever it is called. `count`: how many parts were announced."""

    kind: str
    name: str
    weight: Decimal
    count: int = 1
    drop_lowest: int = 0
    by_points: bool = False
    extra_credit: bool = False


class LetterSpec(msgspec.Struct, frozen=True):
    """A letter, reached from `absolute` on, or within `share` percent of the class."""

    letter: str
    absolute: Decimal
    share: Decimal


class SchemeSpec(msgspec.Struct, frozen=True):
    """All that decides grades beside the scores, components and letters in their order. Equal numbers are equal, 20 and 20.00."""

    components: tuple[ComponentSpec, ...]
    letters: tuple[LetterSpec, ...]
    relative_from: int = 10
    round_to: Decimal | None = None
    show_letters: bool = False

    def to_data(self) -> dict[str, Any]:
        """As a change keeps it; numbers are text, so nothing is lost."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    @property
    def policy(self) -> Policy:
        """As the arithmetic reads it."""
        return Policy(
            components=tuple(_component_rule(component) for component in self.components),
            letters=tuple(LetterRule(row.letter, Fraction(row.absolute), Fraction(row.share)) for row in self.letters),
            relative_from=self.relative_from,
            round_to=None if self.round_to is None else Fraction(self.round_to),
        )


def from_data(data: dict[str, Any]) -> SchemeSpec:
    """What `to_data` gave."""
    return msgspec.convert(data, SchemeSpec)


def spec_of(offering: Offering) -> SchemeSpec:
    """The scheme as it is stored. Three queries."""
    stored = GradePolicy.objects.filter(offering=offering).first() or GradePolicy(offering=offering)
    return SchemeSpec(
        components=tuple(_component(row) for row in Component.objects.filter(offering=offering)),
        letters=tuple(
            LetterSpec(row.letter, row.absolute, row.share) for row in LetterCutoff.objects.filter(offering=offering)
        ),
        relative_from=stored.relative_from,
        round_to=stored.round_to,
        show_letters=stored.show_letters,
    )


def _component(row: Component) -> ComponentSpec:
    return ComponentSpec(
        kind=row.kind,
        name=row.name,
        weight=row.weight,
        count=row.count,
        drop_lowest=row.drop_lowest,
        by_points=row.by_points,
        extra_credit=row.extra_credit,
    )


def _component_rule(spec: ComponentSpec) -> ComponentRule:
    return ComponentRule(
        kind=spec.kind,
        name=spec.name,
        weight=Fraction(spec.weight),
        drop_lowest=spec.drop_lowest,
        by_points=spec.by_points,
        extra_credit=spec.extra_credit,
    )
