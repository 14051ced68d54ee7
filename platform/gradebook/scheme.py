"""How grades are made in an offering: weights, letters, and the policy in words. For staff, who have no grade of their own."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from courses.models import Offering
from gradebook.book.parts import ComponentRule, LetterRule
from gradebook.policies.words import policy_in_words
from gradebook.sources.policies import policy_of, settings_of


@dataclass(frozen=True)
class SchemePage:
    """The policy as it is set."""

    components: tuple[ComponentRule, ...]
    total: Fraction
    rules: tuple[LetterRule, ...]
    policy: tuple[str, ...]
    shows_letters: bool


def scheme_page(offering: Offering) -> SchemePage:
    """Four queries."""
    policy = policy_of(offering)
    return SchemePage(
        components=policy.components,
        total=sum((rule.weight for rule in policy.components if not rule.extra_credit), Fraction(0)),
        rules=policy.letters,
        policy=policy_in_words(policy),
        shows_letters=settings_of(offering).show_letters,
    )
