"""Teams, who was in them and when, and who was asked. A person is in one team of an offering at a time; rows are never deleted."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.models import User
from courses.models import Enrollment, Offering
from projects.teams.querysets import InvitationQuerySet, MembershipQuerySet, TeamQuerySet


class ProjectKind(models.TextChoices):
    """What kind of project a team does."""

    BENCHMARK = "benchmark", "Benchmark and analyse DL workloads"
    APPLY = "apply", "Apply and evaluate existing solutions on emerging workloads"
    ALGORITHM = "algorithm", "New algorithms"
    SYSTEM = "system", "System optimizations"
    LATENCY = "latency", "Custom optimization for latency-critical workloads"
    LIBRARY = "library", "A library, tool or framework"
    INTEGRATE = "integrate", "Integrate optimizations into an existing framework"
    COMBINE = "combine", "Combine system and modelling optimizations"
    HETEROGENEOUS = "heterogeneous", "Use heterogeneous hardware in a principled way"
    OTHER = "other", "Others"


class TeamRules(models.Model):
    """How teams of an offering form. After `lock_at` only staff change them."""

    offering = models.OneToOneField(Offering, on_delete=models.CASCADE, related_name="team_rules")
    smallest = models.PositiveSmallIntegerField(default=2)
    largest = models.PositiveSmallIntegerField(default=3)
    lock_at = models.DateTimeField(null=True, blank=True, help_text="The last second in which students change teams.")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(smallest__gte=1, largest__gte=models.F("smallest")), name="team_sizes_in_order"
            ),
        )

    def __str__(self) -> str:
        return f"Teams of {self.sizes}"

    @property
    def sizes(self) -> str:
        """How many members a team has, in words: "2 to 3", or "3"."""
        return f"{self.smallest} to {self.largest}" if self.smallest < self.largest else str(self.largest)

    def locked(self, now: datetime) -> bool:
        """Whether only staff change teams at `now`; the whole last second is still the students'."""
        return self.lock_at is not None and now.replace(microsecond=0) > self.lock_at


class Team(models.Model):
    """Students who do a project together. One without members any more is disbanded, and keeps its work."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=ProjectKind.choices, blank=True)
    topic = models.CharField(max_length=300, blank=True, help_text="The project in a sentence.")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    size_exception = models.TextField(blank=True, help_text="Why staff let it be smaller or larger than the rules say.")
    size_exception_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    disbanded_at = models.DateTimeField(null=True)

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")
        constraints = (
            models.UniqueConstraint("offering", Lower("name"), condition=Q(disbanded_at=None), name="one_team_a_name"),
        )

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A student in a team, from `joined_at` until `left_at`. What staff did about it the student is told, until `seen_at`."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="memberships")
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)
    placed_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", help_text="Who of the staff put the student here."
    )
    placed_from = models.ForeignKey(Team, null=True, on_delete=models.SET_NULL, related_name="+")
    removed_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", help_text="Who of the staff took them out."
    )
    reason = models.TextField(blank=True, help_text="What staff said about it; the student reads it.")
    seen_at = models.DateTimeField(null=True, help_text="When the student put the notice of it away.")

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ("joined_at", "pk")
        constraints = (
            models.UniqueConstraint(fields=("enrollment",), condition=Q(left_at=None), name="one_team_a_student"),
        )

    def __str__(self) -> str:
        return f"{self.enrollment.user} in {self.team}"


class Invitation(models.Model):
    """A member asked a student to join, or a student asked the team to be taken. It is open until it is answered or taken back."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="invitations")
    by_student = models.BooleanField(default=False, help_text="The student asked, and a member answers.")
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    invited_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    declined_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("team", "enrollment"),
                condition=Q(accepted_at=None, declined_at=None, withdrawn_at=None),
                name="one_open_invitation",
            ),
        )

    def __str__(self) -> str:
        return (
            f"{self.enrollment.user} asks {self.team}"
            if self.by_student
            else f"{self.team} asks {self.enrollment.user}"
        )


class Seeker(models.Model):
    """A student without a team who wrote on the board what they would like to do."""

    enrollment = models.OneToOneField(Enrollment, on_delete=models.CASCADE, related_name="seeker")
    text = models.TextField(max_length=1000)
    posted_at = models.DateTimeField()

    class Meta:
        ordering = ("-posted_at", "-pk")

    def __str__(self) -> str:
        return f"{self.enrollment.user} looks for a team"
