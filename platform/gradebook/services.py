"""Setting how the grade is made, at once: a new offering's scheme, and new weights. The editor is `gradebook.policies`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from django.db import transaction

from accounts.models import User
from audit.services import record
from courses.models import Offering
from gradebook.models import Component, LetterCutoff
from gradebook.policies.rules import weights_line, what_is_wrong
from gradebook.policies.services import SchemeRefused, change_scheme
from gradebook.policies.spec import ComponentSpec, LetterSpec, SchemeSpec, spec_of
from gradebook.presets import COMPONENTS, LETTERS

WeightsRefused = SchemeRefused


def set_weights(
    *, offering: Offering, weights: Mapping[str, Decimal], by: User | None = None, reason: str = "new weights"
) -> None:
    """Give every component its weight in percent, by kind; the same again changes nothing.

    Raises `WeightsRefused` unless they add up to 100.
    """
    spec = spec_of(offering)
    kinds = {row.kind for row in spec.components}
    if set(weights) != kinds:
        raise WeightsRefused(f"Give one weight for each of: {', '.join(sorted(kinds))}.")
    rows = tuple(msgspec.structs.replace(row, weight=weights[row.kind]) for row in spec.components)
    if rows != spec.components:
        change_scheme(offering=offering, spec=msgspec.structs.replace(spec, components=rows), by=by, reason=reason)


@transaction.atomic
def create_scheme(*, offering: Offering, weights: Mapping[str, Decimal], by: User | None = None) -> None:
    """Give a new offering the usual components and letter cutoffs. An offering that has them keeps its own."""
    spec = SchemeSpec(
        components=tuple(ComponentSpec(kind, name, weights[kind], count) for kind, name, count in COMPONENTS),
        letters=tuple(LetterSpec(letter, Decimal(absolute), Decimal(share)) for letter, absolute, share in LETTERS),
    )
    if wrong := what_is_wrong(spec):
        raise WeightsRefused(" ".join(row.sentence for row in wrong))
    made = False
    for position, row in enumerate(spec.components, start=1):
        defaults = {"name": row.name, "count": row.count, "weight": row.weight, "position": position}
        made |= Component.objects.get_or_create(offering=offering, kind=row.kind, defaults=defaults)[1]
    for position, letter in enumerate(spec.letters, start=1):
        cutoff = {"absolute": letter.absolute, "share": letter.share, "position": position}
        made |= LetterCutoff.objects.get_or_create(offering=offering, letter=letter.letter, defaults=cutoff)[1]
    if made:
        after = weights_line(spec.components)
        record(actor=by, action="made the grading scheme", subject=offering, offering_id=offering.pk, after=after)
