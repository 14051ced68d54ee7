"""The scores of talks, for the gradebook and for whoever else needs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from courses.models import Offering
from projects.presentations.arithmetic import MAX_POINTS, in_points, weights
from projects.presentations.models import Speaker, Talk
from projects.presentations.tallies import Tally, rules_of, tallies, weighing_of


@dataclass(frozen=True)
class TalkScore:
    """One talk as it counts for each of its speakers.

    `staff` and `classmates` are the halves in points of `max_points`, None where nobody of them rated; each counts by its weight, and
    the weights add up to 1. Means are on the marks' own scale, from 1 to `scale`.
    """

    talk_pk: int
    team: str
    points: Fraction
    max_points: Fraction
    staff: Fraction | None
    classmates: Fraction | None
    staff_weight: Fraction
    classmates_weight: Fraction
    staff_mean: Fraction | None
    classmates_mean: Fraction | None
    criteria: tuple[tuple[str, Fraction], ...]
    scale: int
    raters: int
    staff_raters: int
    closed_at: datetime
    released: bool


def presentation_scores(offering: Offering) -> dict[int, TalkScore]:
    """By enrollment id of each speaker, the talk that is theirs. Four queries.

    A talk has a score once its ratings are closed and anybody rated it; practice never has one. Staff may still rate a closed talk
    until it is released.
    """
    spoken = Speaker.objects.filter(talk__in=Talk.objects.filter(offering=offering).counting().closed())
    speakers = list(spoken.select_related("talk__team").order_by("talk__closed_at", "pk"))
    if not speakers:
        return {}
    talks = {speaker.talk_id: speaker.talk for speaker in speakers}
    counted = tallies(talks, weighing_of(rules_of(offering)))
    scores = {pk: score_of(talk, counted[pk]) for pk, talk in talks.items()}
    return {speaker.enrollment_id: score for speaker in speakers if (score := scores[speaker.talk_id]) is not None}


def score_of(talk: Talk, tally: Tally) -> TalkScore | None:
    """The score of a closed talk; None of one that is not closed, or that nobody rated."""
    total = tally.points
    if total is None or talk.closed_at is None:
        return None
    scale, staff, classmates = tally.weighing.scale, tally.staff_mean, tally.classmates_mean
    staff_weight, classmates_weight = weights(staff, classmates, tally.weighing)
    return TalkScore(
        talk_pk=talk.pk,
        team=talk.team.name,
        points=total,
        max_points=MAX_POINTS,
        staff=None if staff is None else in_points(staff, scale),
        classmates=None if classmates is None else in_points(classmates, scale),
        staff_weight=staff_weight,
        classmates_weight=classmates_weight,
        staff_mean=staff,
        classmates_mean=classmates,
        criteria=tally.criteria,
        scale=scale,
        raters=len(tally.classmates),
        staff_raters=len(tally.staff),
        closed_at=talk.closed_at,
        released=talk.released_at is not None,
    )
