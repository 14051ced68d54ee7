"""A policy in sentences, as students and staff read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradebook.book.parts import ComponentRule, Policy
from gradebook.derivation.letters import policy_in_words as letters_in_words
from gradebook.numbers import percent

MISSING = (
    "Work that is missing when its due date is over counts zero. A granted extension moves that date; "
    "after it, work is not accepted."
)
EXCUSED = (
    "What staff excused does not count: the rest of its component weighs more, "
    "and where all of a component is excused, the other components do."
)
SO_FAR = (
    "The score so far is made of what is graded or missing, as if the rest went the same way. "
    "In the final score, what is still open counts zero."
)


def policy_in_words(policy: Policy) -> tuple[str, ...]:
    """All rules of the policy, a sentence or two a line, in the order in which a score comes about."""
    if not policy.components:
        return ("The weights are not set yet, so there is no score.",)
    return (
        *_weights(policy.components),
        *_within(policy.components),
        MISSING,
        EXCUSED,
        SO_FAR,
        *letters_in_words(policy),
    )


def _weights(components: Sequence[ComponentRule]) -> Iterable[str]:
    counted = [rule for rule in components if not rule.extra_credit]
    yield f"The score is a percentage: {_joined(f'{rule.name} {percent(rule.weight)}' for rule in counted)}."
    for rule in components:
        if rule.extra_credit:
            yield f"{rule.name} is extra credit: it adds up to {percent(rule.weight)} and takes nothing."


def _within(components: Sequence[ComponentRule]) -> Iterable[str]:
    by_points = [rule.name for rule in components if rule.by_points]
    told = "Within a component all parts count the same."
    if by_points and len(by_points) == len(components):
        told = "Within a component parts count by their points."
    elif by_points:
        told = f"Parts count by their points in {_joined(by_points)}; in the other components they count the same."
    yield told
    for rule in components:
        if rule.drop_lowest == 1:
            yield f"In {rule.name} the lowest part does not count; one always does."
        elif rule.drop_lowest:
            yield f"In {rule.name} the {rule.drop_lowest} lowest parts do not count; one always does."


def _joined(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
