"""Saving what classmates and staff say about a talk.

Each save takes the talk's row, as closing does, so that a rating is either in time or refused. A form carries the revision that it was
filled from: the same answers once more change nothing, and others that come late over a bad network never replace newer ones unseen.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from config import clock
from courses.models import Enrollment
from projects.presentations.locks import TalkRefused, locked_talk
from projects.presentations.models import Moderation, Rating, StaffMark, StaffRating, Talk
from projects.teams.models import Membership


class RatingChanged(Exception):  # noqa: N818 - an answer to the person who saved, not a fault
    """Another window of the same person saved other answers since this form was opened. Nothing was saved.

    `revision` is that of the stored answers, and `told` says them.
    """

    def __init__(self, revision: int, told: str) -> None:
        super().__init__(
            f"You saved other answers since this window was opened: {told}. Yours below are not saved yet; save again to replace those."
        )
        self.revision = revision


@transaction.atomic
def save_rating(*, talk: Talk, rater: Enrollment, score: int, comment: str, revision: int) -> Rating:
    """Keep a classmate's rating, their only one of this talk. Saving the same again changes nothing.

    Raises `TalkRefused` while no ratings are taken and for the talk's own team, and `RatingChanged` where `revision` is not the stored one.
    """
    fresh = locked_talk(talk.pk)
    refusal = why_not(fresh, rater)
    if refusal:
        raise TalkRefused(refusal)
    comment = comment.strip()
    stored = Rating.objects.filter(talk=fresh, rater=rater).first()
    if stored is None:
        return Rating.objects.create(talk=fresh, rater=rater, score=score, comment=comment, saved_at=clock.now())
    if (stored.score, stored.comment) == (score, comment):
        return stored
    if stored.revision != revision:
        raise RatingChanged(stored.revision, _told(str(stored.score), stored.comment))
    if stored.comment != comment:  # another text is another decision
        stored.moderation, stored.moderated_by, stored.moderated_at = Moderation.WAITING, None, None
    stored.score, stored.comment, stored.revision, stored.saved_at = score, comment, revision + 1, clock.now()
    stored.save()
    return stored


@transaction.atomic
def save_staff_rating(
    *, talk: Talk, rater: Enrollment, marks: Mapping[str, int], comment: str, revision: int
) -> StaffRating:
    """Keep a staff member's marks, one for each criterion, until the team sees its score. The same again changes nothing.

    Raises `TalkRefused` before the opening and after the release, and `RatingChanged` where `revision` is not the stored one.
    """
    fresh = locked_talk(talk.pk)
    refusal = why_not_staff(fresh)
    if refusal:
        raise TalkRefused(refusal)
    comment = comment.strip()
    stored = StaffRating.objects.filter(talk=fresh, rater=rater).first()
    if stored is None:
        made = StaffRating.objects.create(talk=fresh, rater=rater, comment=comment, saved_at=clock.now())
        return _mark(made, marks)
    if stored.comment == comment and marks_of(stored) == dict(marks):
        return stored
    if stored.revision != revision:
        raise RatingChanged(stored.revision, _told(" ".join(map(str, marks_of(stored).values())), stored.comment))
    stored.comment, stored.revision, stored.saved_at = comment, revision + 1, clock.now()
    stored.save()
    return _mark(stored, marks)


def why_not(talk: Talk, rater: Enrollment) -> str:
    """Why a student cannot rate this talk now, for them to read; empty when they can."""
    if is_own(talk, rater):
        return "This is your own team's talk, so your classmates rate it."
    if talk.opened_at is None:
        return "Ratings of this talk are not open yet. They open when it begins."
    if talk.closed_at is not None:
        return "Ratings of this talk are closed. What you saved before that counts."
    return ""


def why_not_staff(talk: Talk) -> str:
    """Why staff cannot rate this talk now; empty when they can."""
    if talk.opened_at is None:
        return "Ratings of this talk are not open yet. Open them when it begins."
    if talk.released_at is not None:
        return "The team sees its score already, so no marks are taken any more. Taking the release back makes it possible again."
    return ""


def is_own(talk: Talk, rater: Enrollment) -> bool:
    """Whether it is the talk of somebody's own team: they spoke in it, or are a member now."""
    spoke = talk.speakers.filter(enrollment=rater).exists()
    return spoke or Membership.objects.current().filter(team=talk.team_id, enrollment=rater).exists()


def marks_of(rating: StaffRating) -> dict[str, int]:
    """By criterion."""
    return dict(rating.marks.order_by("pk").values_list("criterion", "score"))


def _mark(rating: StaffRating, marks: Mapping[str, int]) -> StaffRating:
    rating.marks.all().delete()
    StaffMark.objects.bulk_create(
        StaffMark(rating=rating, criterion=criterion, score=score) for criterion, score in marks.items()
    )
    return rating


def _told(marks: str, comment: str) -> str:
    return f"{marks}, “{comment}”" if comment else f"{marks}, without a comment"
