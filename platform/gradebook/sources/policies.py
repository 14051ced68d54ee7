"""An offering's weights, letters and policy as the arithmetic reads them."""

from __future__ import annotations

from fractions import Fraction

from courses.models import Offering
from gradebook.book.parts import ComponentRule, LetterRule, Policy
from gradebook.models import Component, GradePolicy, LetterCutoff


def settings_of(offering: Offering) -> GradePolicy:
    """The offering's settings; the defaults, not stored, where nobody has set any. One query."""
    return GradePolicy.objects.filter(offering=offering).first() or GradePolicy(offering=offering)


def policy_of(offering: Offering) -> Policy:
    """What decides grades in this offering now. Three queries."""
    settings = settings_of(offering)
    return Policy(
        components=tuple(component_rule(component) for component in Component.objects.filter(offering=offering)),
        letters=tuple(letter_rule(cutoff) for cutoff in LetterCutoff.objects.filter(offering=offering)),
        relative_from=settings.relative_from,
        round_to=None if settings.round_to is None else Fraction(settings.round_to),
    )


def component_rule(component: Component) -> ComponentRule:
    """One component."""
    return ComponentRule(
        kind=component.kind,
        name=component.name,
        weight=Fraction(component.weight),
        drop_lowest=component.drop_lowest,
        by_points=component.by_points,
        extra_credit=component.extra_credit,
    )


def letter_rule(cutoff: LetterCutoff) -> LetterRule:
    """One letter."""
    return LetterRule(cutoff.letter, Fraction(cutoff.absolute), Fraction(cutoff.share))
