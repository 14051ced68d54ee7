"""Talks, and how they were rated. Classmates say whether they learned something; staff rate by five criteria."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import User
from courses.models import Enrollment, Offering, Session
from courses.pages import StateChip
from projects.presentations.querysets import RatingQuerySet, TalkQuerySet
from projects.teams.models import Team

LONGEST_COMMENT, LONGEST_STAFF_COMMENT = 1000, 2000


class Criterion(models.TextChoices):
    """What staff look at."""

    FORMAT = "format", "Format"
    CORRECTNESS = "correctness", "Correctness"
    DEPTH = "depth", "Depth"
    CLARITY = "clarity", "Clarity"
    INSIGHTS = "insights", "Insights"


class PresentationRules(models.Model):
    """How talks are held in an offering, and how their score is made. Marks of classmates and of staff go from 1 to `scale`."""

    offering = models.OneToOneField(Offering, on_delete=models.CASCADE, related_name="presentation_rules")
    staff_share = models.PositiveSmallIntegerField(default=50, help_text="Percent; classmates make the rest.")
    scale = models.PositiveSmallIntegerField(default=5)
    talk_minutes = models.PositiveSmallIntegerField(default=12)
    question_minutes = models.PositiveSmallIntegerField(default=3)
    first_talk = models.TimeField(
        default=time(9), help_text="When a session's first talk begins, by the clock in class."
    )

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(staff_share__lte=100), name="staff_share_in_range"),
            models.CheckConstraint(condition=Q(scale__gte=2, scale__lte=10), name="scale_in_range"),
            models.CheckConstraint(condition=Q(talk_minutes__gte=1), name="talk_takes_time"),
        )

    def __str__(self) -> str:
        return f"{self.staff_share} % staff"

    @property
    def classmates_share(self) -> int:
        """Percent; what staff leave."""
        return 100 - self.staff_share

    @property
    def slot(self) -> timedelta:
        """From the beginning of one talk to that of the next."""
        return timedelta(minutes=self.talk_minutes + self.question_minutes)

    @property
    def marks(self) -> range:
        """What can be given, from the lowest."""
        return range(1, self.scale + 1)


class Talk(models.Model):
    """A team's turn. Ratings are open from `opened_at` until `closed_at`; the team sees its score from `released_at` on.

    A practice talk is rated like any other and counts for nobody.
    """

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="talks")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="talks")
    session = models.ForeignKey(Session, null=True, on_delete=models.SET_NULL, related_name="talks")
    starts_at = models.DateTimeField()
    position = models.PositiveSmallIntegerField(help_text="Within the session, from 1.")
    practice = models.BooleanField(default=False)
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    released_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    taken_back_at = models.DateTimeField(null=True, help_text="The last time; a later release clears it.")
    taken_back_reason = models.TextField(blank=True, help_text="The team reads it.")

    objects = TalkQuerySet.as_manager()

    class Meta:
        ordering = ("starts_at", "position", "pk")
        constraints = (
            models.UniqueConstraint(fields=("offering", "team"), condition=Q(practice=False), name="one_talk_a_team"),
            models.UniqueConstraint(
                fields=("offering",),
                condition=Q(opened_at__isnull=False, closed_at=None),
                name="one_open_talk",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(opened_at__isnull=False, closed_at__gte=F("opened_at")),
                name="talk_closes_after_opening",
            ),
            models.CheckConstraint(
                condition=Q(released_at=None) | Q(closed_at__isnull=False), name="talk_closed_before_release"
            ),
        )

    def __str__(self) -> str:
        return f"Talk of {self.team}"

    @property
    def is_open(self) -> bool:
        """Whether ratings are taken."""
        return self.opened_at is not None and self.closed_at is None

    @property
    def takes_staff(self) -> bool:
        """Whether staff may still rate: from the opening until the team sees its score."""
        return self.opened_at is not None and self.released_at is None

    def can_be_undone(self, now: datetime) -> bool:
        """Whether the release is so fresh that it is undone without a reason."""
        return self.released_at is not None and now < self.released_at + timedelta(seconds=settings.RELEASE_UNDO_S)

    @property
    def chip(self) -> StateChip:
        """Its state, the latest one first."""
        if self.released_at is not None:
            return StateChip("pass", "Released")
        if self.closed_at is not None:
            return StateChip("muted", "Closed", "lock")
        return StateChip("run", "Open", "radio") if self.is_open else StateChip("muted", "Planned", "calendar-days")


class Speaker(models.Model):
    """A student whose talk it was: the team as it stood when the ratings were opened. The score is theirs."""

    talk = models.ForeignKey(Talk, on_delete=models.CASCADE, related_name="speakers")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="spoken")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("talk", "enrollment"), name="one_speaker_a_talk"),)

    def __str__(self) -> str:
        return f"{self.enrollment.user} in {self.talk}"


class Moderation(models.TextChoices):
    """What becomes of a comment: the team sees what was let through."""

    WAITING = "waiting", "Waiting"
    SHOWN = "shown", "Shown to the team"
    HELD = "held", "Held back"


class Rating(models.Model):
    """One classmate's rating of a talk, editable until the talk is closed. The team never learns whose it is."""

    talk = models.ForeignKey(Talk, on_delete=models.CASCADE, related_name="ratings")
    rater = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="ratings")
    score = models.PositiveSmallIntegerField()
    comment = models.TextField(blank=True, max_length=LONGEST_COMMENT)
    revision = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField()
    moderation = models.CharField(max_length=8, choices=Moderation.choices, default=Moderation.WAITING)
    moderated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    moderated_at = models.DateTimeField(null=True)

    objects = RatingQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("talk", "rater"), name="one_rating_a_classmate"),
            models.CheckConstraint(condition=Q(score__gte=1), name="rating_from_one"),
        )

    def __str__(self) -> str:
        return f"{self.score} for {self.talk}"


class StaffRating(models.Model):
    """One staff member's rating of a talk, with a mark a criterion."""

    talk = models.ForeignKey(Talk, on_delete=models.CASCADE, related_name="staff_ratings")
    rater = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="staff_ratings")
    comment = models.TextField(
        blank=True, max_length=LONGEST_STAFF_COMMENT, help_text="The team reads it from the release on."
    )
    revision = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("talk", "rater"), name="one_staff_rating_a_person"),)

    def __str__(self) -> str:
        return f"{self.rater.user} on {self.talk}"


class StaffMark(models.Model):
    """The mark of one criterion."""

    rating = models.ForeignKey(StaffRating, on_delete=models.CASCADE, related_name="marks")
    criterion = models.CharField(max_length=12, choices=Criterion.choices)
    score = models.PositiveSmallIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("rating", "criterion"), name="one_mark_a_criterion"),
            models.CheckConstraint(condition=Q(score__gte=1), name="staff_mark_from_one"),
        )

    def __str__(self) -> str:
        return f"{self.criterion}: {self.score}"
