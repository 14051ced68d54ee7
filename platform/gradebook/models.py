"""How scores become a grade: weighted components and letter cutoffs, all of them data of the offering."""

from __future__ import annotations

from django.db import models

from courses.models import Offering


class Component(models.Model):
    """A part of the final score. The weights of an offering add up to 100."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="components")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)
    weight = models.DecimalField(max_digits=5, decimal_places=2)
    position = models.PositiveSmallIntegerField()
    count = models.PositiveSmallIntegerField(default=1, help_text="Equal parts, as in 3 × 7.")

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
