"""Setting how the grade is made."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from audit.services import record
from courses.models import Offering
from gradebook.models import Component, LetterCutoff
from gradebook.presets import COMPONENTS, LETTERS

HUNDRED = Decimal(100)


class WeightsRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """Weights that do not make a whole; the text names the sum and every part."""


@transaction.atomic
def set_weights(*, offering: Offering, weights: Mapping[str, Decimal], by: User | None = None) -> None:
    """Give every component its weight in percent, by kind; raises `WeightsRefused` unless they add up to 100."""
    components = {component.kind: component for component in offering.components.all()}
    if set(weights) != set(components):
        raise WeightsRefused(f"Give one weight for each of: {', '.join(sorted(components))}.")
    _check_sum({components[kind].name: weight for kind, weight in weights.items()})
    before = _line({component.name: component.weight for component in components.values()})
    for kind, weight in weights.items():
        Component.objects.filter(pk=components[kind].pk).update(weight=weight)
    after = _line({components[kind].name: weight for kind, weight in weights.items()})
    record(actor=by, action="set weights", subject=offering, offering_id=offering.pk, before=before, after=after)


@transaction.atomic
def create_scheme(*, offering: Offering, weights: Mapping[str, Decimal], by: User | None = None) -> None:
    """Give a new offering the usual components and letter cutoffs. An offering that has them keeps its own."""
    _check_sum({name: weights[kind] for kind, name, _ in COMPONENTS})
    made = False
    for position, (kind, name, count) in enumerate(COMPONENTS, start=1):
        defaults = {"name": name, "count": count, "weight": weights[kind], "position": position}
        made |= Component.objects.get_or_create(offering=offering, kind=kind, defaults=defaults)[1]
    for position, (letter, absolute, share) in enumerate(LETTERS, start=1):
        cutoff = {"absolute": Decimal(absolute), "share": Decimal(share), "position": position}
        made |= LetterCutoff.objects.get_or_create(offering=offering, letter=letter, defaults=cutoff)[1]
    if made:
        after = _line({name: weights[kind] for kind, name, _ in COMPONENTS})
        record(actor=by, action="made the grading scheme", subject=offering, offering_id=offering.pk, after=after)


def _check_sum(parts: Mapping[str, Decimal]) -> None:
    negative = [name for name, weight in parts.items() if weight < 0]
    if negative:
        raise WeightsRefused(f"A weight cannot be below zero: {', '.join(negative)}.")
    total = sum(parts.values(), Decimal(0))
    if total != HUNDRED:
        raise WeightsRefused(f"The weights add up to {_number(total)}, not 100: {_line(parts)}.")


def _line(parts: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name} {_number(weight)}" for name, weight in parts.items())


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"
