"""How scores become a grade: weighted components, letter cutoffs and a policy, all of them data of the offering."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts.models import User
from assignments.models import Assignment
from courses.models import Enrollment, Offering


class Component(models.Model):
    """A part of the final score. The weights of an offering add up to 100; those of extra credit come on top."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="components")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)
    weight = models.DecimalField(max_digits=5, decimal_places=2)
    position = models.PositiveSmallIntegerField()
    count = models.PositiveSmallIntegerField(default=1, help_text="Equal parts, as in 3 × 7.")
    drop_lowest = models.PositiveSmallIntegerField(default=0, help_text="How many of its lowest parts do not count.")
    by_points = models.BooleanField(default=False, help_text="Parts count by their points; otherwise equally.")
    extra_credit = models.BooleanField(default=False, help_text="Its weight comes on top of the 100.")

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("offering", "kind"), name="one_component_a_kind"),
            models.CheckConstraint(condition=models.Q(weight__gte=0, weight__lte=100), name="weight_in_range"),
        )

    def __str__(self) -> str:
        return f"{self.name}, {self.weight} %"


class LetterCutoff(models.Model):
    """One letter: reached by an absolute score, or by standing within a share of the class from the top."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="cutoffs")
    letter = models.CharField(max_length=2)
    absolute = models.DecimalField(max_digits=5, decimal_places=2)
    share = models.DecimalField(max_digits=5, decimal_places=2, help_text="Percent of the class.")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("position",)
        constraints = (models.UniqueConstraint(fields=("offering", "letter"), name="one_cutoff_a_letter"),)

    def __str__(self) -> str:
        return self.letter


class GradePolicy(models.Model):
    """What else decides letters in an offering. `revision` grows with each change of weights, cutoffs or policy."""

    offering = models.OneToOneField(Offering, on_delete=models.CASCADE, related_name="grade_policy")
    relative_from = models.PositiveSmallIntegerField(
        default=10, help_text="From so many students on, the relative column counts; below, the absolute one alone."
    )
    round_to = models.DecimalField(
        max_digits=4,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="Final scores are rounded to multiples of this, half up, before the letters; empty: not rounded.",
    )
    show_letters = models.BooleanField(default=False, help_text="Students see letters before the grades are final.")
    revision = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(round_to=None) | Q(round_to__gt=0), name="rounding_is_some"),)

    def __str__(self) -> str:
        return f"Policy of {self.offering}"


class PolicyChange(models.Model):
    """One change of weights, cutoffs or policy, with what stood before it, so that it can be taken back as one act."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="policy_changes")
    revision = models.PositiveIntegerField(help_text="Of the policy, after the change.")
    before = models.JSONField()
    after = models.JSONField()
    reason = models.TextField(blank=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField()
    reverted_at = models.DateTimeField(null=True)
    reverted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Change {self.revision} of {self.offering}"


class Decision(models.Model):
    """What staff decided about one student's part of the grade, in place of what its source says. One that was withdrawn counts no more.

    A part is an assignment, or a component that has no assignments (`component`), such as participation. Excused: it does not count.
    Otherwise `points` of `max_points` stand for it.
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="grade_decisions")
    assignment = models.ForeignKey(Assignment, null=True, on_delete=models.CASCADE, related_name="grade_decisions")
    component = models.ForeignKey(Component, null=True, on_delete=models.CASCADE, related_name="grade_decisions")
    excused = models.BooleanField(default=False)
    points = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    max_points = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    reason = models.TextField(help_text="The student reads it.")
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(assignment=None, component__isnull=False) | Q(assignment__isnull=False, component=None),
                name="decision_about_one_part",
            ),
            models.CheckConstraint(
                condition=Q(excused=True, points=None, max_points=None)
                | Q(excused=False, points__gte=Decimal(0), max_points__gt=Decimal(0)),
                name="decision_excuses_or_scores",
            ),
            models.UniqueConstraint(
                fields=("enrollment", "assignment"), condition=Q(withdrawn_at=None), name="one_decision_an_assignment"
            ),
            models.UniqueConstraint(
                fields=("enrollment", "component"), condition=Q(withdrawn_at=None), name="one_decision_a_component"
            ),
        )

    def __str__(self) -> str:
        return f"{self.enrollment.user}: {'excused' if self.excused else self.points}"


class Snapshot(models.Model):
    """The grades of everyone as they stood at a moment, whole, with their SHA-256. It never changes.

    A final one freezes the grades: they are read from it until it is lifted with a reason.
    """

    offering = models.ForeignKey(Offering, on_delete=models.PROTECT, related_name="grade_snapshots")
    final = models.BooleanField(default=False)
    sha256 = models.CharField(max_length=64)
    data = models.TextField(help_text="Policy, sources and grades, as canonical JSON.")
    note = models.TextField(blank=True)
    taken_at = models.DateTimeField()
    taken_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    lift_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("offering",), condition=Q(final=True, lifted_at=None), name="one_freeze_an_offering"
            ),
        )

    def __str__(self) -> str:
        return f"Grades of {self.offering} at {self.taken_at}"


class AtRiskRules(models.Model):
    """From when on staff are told of a student. An empty rule tells of nobody."""

    offering = models.OneToOneField(Offering, on_delete=models.CASCADE, related_name="at_risk_rules")
    score_below = models.DecimalField(
        max_digits=5, decimal_places=2, null=True, blank=True, default=Decimal(60), help_text="The score so far."
    )
    missing_in_row = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        default=2,
        help_text="So many pieces of work missing one after another, the latest among them.",
    )
    absences_beyond = models.PositiveSmallIntegerField(
        null=True, blank=True, default=1, help_text="So many absences beyond the free ones."
    )
    idle_days = models.PositiveSmallIntegerField(
        null=True, blank=True, default=14, help_text="So many days without any activity."
    )
    without_team = models.BooleanField(default=True, help_text="No team after teams are locked.")

    def __str__(self) -> str:
        return f"At-risk rules of {self.offering}"
