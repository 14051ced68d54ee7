"""Platforms that open us by LTI 1.3, their courses, who people are there, and scores on their way to them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from courses.models import Enrollment, Offering


class Platform(models.Model):
    """A registration at a platform. The operator makes it; a platform that is not registered opens nothing."""

    name = models.CharField(max_length=120)
    issuer = models.CharField(max_length=300)
    client_id = models.CharField(max_length=200)
    auth_url = models.URLField(max_length=500)
    token_url = models.URLField(max_length=500)
    jwks_url = models.URLField(max_length=500)
    audience = models.CharField(max_length=500, blank=True, help_text="Of token requests; empty: the token URL.")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("name", "pk")
        constraints = (
            models.UniqueConstraint(fields=("issuer", "client_id"), name="one_platform_an_issuer_and_client"),
        )

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """A place within the platform where we are installed; launches from another one are refused."""

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="deployments")
    deployment_id = models.CharField(max_length=255)

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("platform", "deployment_id"), name="one_deployment_an_id_of_a_platform"),
        )

    def __str__(self) -> str:
        return f"{self.deployment_id} of {self.platform}"


class Context(models.Model):
    """A course of the platform, seen when it was first opened from. It belongs to an offering once an instructor said so."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="contexts")
    context_id = models.CharField(max_length=255)
    title = models.CharField(max_length=300, blank=True)
    offering = models.ForeignKey(Offering, null=True, on_delete=models.SET_NULL, related_name="lti_contexts")
    admits = models.BooleanField(
        default=False, help_text="Students of the platform's course who are not in the class are added when they come."
    )
    linked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    linked_at = models.DateTimeField(null=True)
    memberships_url = models.URLField(max_length=1000, blank=True)
    line_items_url = models.URLField(max_length=1000, blank=True)
    scopes = models.JSONField(default=list, help_text="What the platform lets us do with its line items.")
    members_read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("deployment", "context_id"), name="one_context_an_id_of_a_deployment"),
        )

    def __str__(self) -> str:
        return self.title or self.context_id


class Person(models.Model):
    """Who someone of the platform is here. Made by a person who proved to be both, and by nothing else."""

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="people")
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="lti_people")
    linked_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("platform", "subject"), name="one_person_a_subject"),
            models.UniqueConstraint(fields=("platform", "user"), name="one_subject_a_person"),
        )

    def __str__(self) -> str:
        return f"{self.user} at {self.platform}"


class UsedNonce(models.Model):
    """A launch that happened. The constraint refuses the same one again, whoever brings it."""

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="nonces")
    nonce = models.CharField(max_length=255)
    used_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("platform", "nonce"), name="one_launch_a_nonce"),)

    def __str__(self) -> str:
        return self.nonce


class Arrival(models.Model):
    """A verified launch whose person is not signed in yet. Its browser holds the token, of which the hash stands here."""

    token_sha256 = models.CharField(max_length=64, unique=True)
    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="arrivals")
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=254, blank=True)
    role = models.CharField(max_length=12)
    target = models.CharField(max_length=500, blank=True)
    arrived_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.name or self.subject} from {self.context}"


class Member(models.Model):
    """A person of the platform's course, as names-and-roles told. `enrollment` is who they are in the offering."""

    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="members")
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=254, blank=True)
    sis_id = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=12)
    active = models.BooleanField(default=True)
    enrollment = models.ForeignKey(Enrollment, null=True, on_delete=models.SET_NULL, related_name="lti_members")

    class Meta:
        ordering = ("name", "pk")
        constraints = (models.UniqueConstraint(fields=("context", "subject"), name="one_member_a_subject"),)

    def __str__(self) -> str:
        return self.name or self.subject


class Line(models.Model):
    """A column of the platform's gradebook that we fill. `key` is a part of the grade, or `final`; `url` is empty until it is there."""

    context = models.ForeignKey(Context, on_delete=models.CASCADE, related_name="lines")
    key = models.CharField(max_length=120)
    title = models.CharField(max_length=300)
    points = models.DecimalField(max_digits=9, decimal_places=2)
    url = models.URLField(max_length=1000, blank=True)

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("context", "key"), name="one_line_a_key"),)

    def __str__(self) -> str:
        return self.title


class ScoreMessage(models.Model):
    """One student's score for one column, and its outbox: `send_at` is when the sweeper sends it (again).

    `points` are what is to be sent, empty for work that waits for its score; `sent_points` what the platform took last.
    """

    line = models.ForeignKey(Line, on_delete=models.CASCADE, related_name="messages")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="lti_scores")
    points = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    send_at = models.DateTimeField(null=True, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=500, blank=True, help_text="Why it did not arrive, and what to do.")
    sent_points = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    sent_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("line", "enrollment"), name="one_score_message_a_student"),
            models.CheckConstraint(condition=Q(points=None) | Q(points__gte=0), name="score_messages_are_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.line}: {self.enrollment.user}"
