"""A scheme tried out on the class as it stands. Nothing is stored."""

from __future__ import annotations

from dataclasses import replace

from courses.models import Offering
from gradebook.book.grades import grade_class
from gradebook.book.parts import Policy, State
from gradebook.models import Decision
from gradebook.policies.outcome import Outcome, outcome_of
from gradebook.policies.spec import SchemeSpec, spec_of
from gradebook.sources.collect import Book, collect
from gradebook.sources.numbers import number_scores
from gradebook.sources.works import Work, parts_of


def try_out(offering: Offering, after: SchemeSpec, *, book: Book | None = None) -> Outcome:
    """What the scheme would do to everybody's grade. The number of queries does not depend on the class."""
    now = book or collect(offering)
    then = with_policy(offering, now, after.policy)
    return outcome_of(spec_of(offering), after, grade_class(now), grade_class(then))


def with_policy(offering: Offering, book: Book, policy: Policy) -> Book:
    """The book as `collect` would give it under this policy: components that are new in it bring their part, and their numbers."""
    works = [Work(part, book.works[part.key]) for part in book.parts if part.key in book.works]
    known = {rule.kind for rule in book.policy.components}
    fresh = replace(policy, components=tuple(rule for rule in policy.components if rule.kind not in known))
    scores = {pk: dict(row) for pk, row in book.scores.items()} if fresh.components else book.scores
    if fresh.components:
        for (pk, key), found in number_scores(offering, fresh, released_only=False).items():
            if pk in scores:
                scores[pk][key] = found.score
    return replace(book, policy=policy, parts=parts_of(policy.components, works), scores=scores)


def why_stay(offering: Offering, book: Book, after: SchemeSpec) -> tuple[str, ...]:
    """A sentence for each component that cannot be removed, since something is in it. One query."""
    kept = {row.kind for row in after.components}
    gone = [rule for rule in book.policy.components if rule.kind not in kept]
    decided = Decision.objects.filter(component__offering=offering, component__kind__in=[rule.kind for rule in gone])
    with_decisions = set(decided.order_by().values_list("component__kind", flat=True))
    told = []
    for rule in gone:
        if works := [part.title for part in book.parts if part.component == rule.kind and part.key in book.works]:
            told.append(
                f"“{rule.name}” cannot be removed, since work belongs to it: {_few(works)}. Give it a weight of 0 instead."
            )
        elif rule.kind in with_decisions or _is_scored(book, rule.kind):
            told.append(
                f"“{rule.name}” cannot be removed, since students have points in it. Give it a weight of 0 instead."
            )
    return tuple(told)


def _is_scored(book: Book, key: str) -> bool:
    return any(key in row and row[key].state is not State.NOT_DUE for row in book.scores.values())


def _few(titles: list[str]) -> str:
    more = len(titles) - 3
    return "; ".join(titles[:3]) + (f"; and {more} more" if more > 0 else "")
