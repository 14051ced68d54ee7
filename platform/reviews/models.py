"""The rubric of an assignment, and what staff scored in place of a report. Automatic scores stay in the reports.

Marks of work that is graded by hand live in `reviews.marking`.
"""

from __future__ import annotations

from django.db import models

from accounts.models import User
from assignments.models import Assignment
from reviews.querysets import CurrentItems
from submissions.models import Submission


class Rubric(models.Model):
    """The graded parts of one assignment. `revision` grows by one with each edit of a rubric that is marked by hand."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="rubric")
    revision = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"Rubric of {self.assignment}"


class RubricItem(models.Model):
    """One part with its points: a task of the lab, or an item that graders mark by hand, by its levels.

    An item that leaves the rubric is retired: it gets no new marks, and those that it has stay. `objects`, and so
    `rubric.items`, holds the items that are marked now; `ever` holds all.
    """

    rubric = models.ForeignKey(Rubric, on_delete=models.CASCADE, related_name="items")
    task_id = models.CharField(max_length=40, help_text="The lab's task, or the item's short name.")
    title = models.CharField(max_length=200)
    points = models.DecimalField(max_digits=7, decimal_places=2)
    position = models.PositiveSmallIntegerField()
    description = models.TextField(blank=True, help_text="The guiding question; students read it.")
    grader_note = models.TextField(blank=True, help_text="For graders alone.")
    retired_at = models.DateTimeField(null=True)

    objects = CurrentItems()
    ever = models.Manager["RubricItem"]()

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(
                fields=("rubric", "task_id"), condition=models.Q(retired_at=None), name="one_item_a_task"
            ),
        )

    def __str__(self) -> str:
        return self.title


class RubricLevel(models.Model):
    """A way to meet an item marked by hand: its points, what they mean, and the key that gives them in the queue."""

    item = models.ForeignKey(RubricItem, on_delete=models.CASCADE, related_name="levels")
    key = models.CharField(max_length=1, help_text="A digit.")
    points = models.DecimalField(max_digits=7, decimal_places=2)
    label = models.CharField(max_length=120)

    class Meta:
        ordering = ("-points", "pk")
        constraints = (models.UniqueConstraint(fields=("item", "key"), name="one_level_a_key"),)

    def __str__(self) -> str:
        return f"{self.key}: {self.label}"


class RubricScore(models.Model):
    """A score that staff gave in place of the automatic one. Title and points are copied: the rubric may change later.

    Students see it from `released_at` on. A regrade leaves it as it is.
    """

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="overrides")
    item = models.ForeignKey(RubricItem, on_delete=models.PROTECT, related_name="scores")
    title = models.CharField(max_length=200)
    points = models.DecimalField(max_digits=7, decimal_places=2)
    score = models.DecimalField(max_digits=7, decimal_places=2)
    reason = models.TextField()
    overridden_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    overridden_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("item__position",)
        constraints = (models.UniqueConstraint(fields=("submission", "item"), name="one_score_an_item"),)

    def __str__(self) -> str:
        return f"{self.score} of {self.points} for {self.title}"


# Django finds an app's models here; those of its parts live with the rest of each part.
from reviews.agreement.models import CalibrationText, DoubleMark, DoubleReading  # noqa: E402, F401
from reviews.boards.models import BoardMember, BoardProof, BoardResult  # noqa: E402, F401
from reviews.marking.models import Adjustment, Claim, Mark, Review  # noqa: E402, F401
from reviews.regrades.models import LabRegrade, LabRegradeItem, ScoreChange  # noqa: E402, F401
from reviews.releases.models import Release, ReleaseItem, ReleaseMail  # noqa: E402, F401
from reviews.requests.models import RegradeRequest  # noqa: E402, F401
from reviews.rubrics.models import BankComment, MarkChange, RubricChange, RubricEdit  # noqa: E402, F401
from reviews.similar.models import SimilarPair, SimilarSearch  # noqa: E402, F401
