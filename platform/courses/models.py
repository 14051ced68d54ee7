"""Course → Offering → Enrollment, and the offering's schedule."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import models

from accounts.models import User
from courses.querysets import EnrollmentQuerySet

AFTERMATH = timedelta(days=30)


class Course(models.Model):
    """What the catalogue lists, whatever the term."""

    code = models.CharField(max_length=30, unique=True)
    title = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.code}: {self.title}"


class Offering(models.Model):
    """A course in one term. Its days and deadlines are read in `time_zone`."""

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="offerings")
    slug = models.SlugField(unique=True)
    term = models.CharField(max_length=60)
    starts_on = models.DateField()
    ends_on = models.DateField()
    time_zone = models.CharField(max_length=60, default="America/Chicago")
    room = models.CharField(max_length=200, blank=True)
    meets = models.CharField(max_length=200, blank=True)
    institution = models.CharField(max_length=200, blank=True)
    lms = models.CharField(max_length=60, blank=True)
    tas_extend = models.BooleanField(default=False, help_text="TAs, too, may grant and revoke extensions.")
    regrade_window_days = models.PositiveSmallIntegerField(
        default=7, help_text="How long after their release students may ask for another look at scores; 0: not at all."
    )

    class Meta:
        ordering = ("-starts_on", "slug")

    def __str__(self) -> str:
        return f"{self.course.code}, {self.term}"

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the offering's days begin and end."""
        return ZoneInfo(self.time_zone)

    def is_current(self, now: datetime) -> bool:
        """Whether it still goes on. Its last weeks of extensions and questions belong to it."""
        return self.day_of(now) <= self.ends_on + AFTERMATH

    def day_of(self, moment: datetime) -> date:
        """The offering's calendar day at `moment`."""
        return moment.astimezone(self.zone).date()


class Role(models.TextChoices):
    """What a person is in one offering."""

    STUDENT = "student", "Student"
    TA = "ta", "TA"
    INSTRUCTOR = "instructor", "Instructor"


class Enrollment(models.Model):
    """A person in an offering. Someone who dropped keeps the row and loses the access."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="enrollments")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="enrollments")
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.STUDENT)
    dropped_at = models.DateTimeField(null=True, blank=True)
    section = models.CharField(max_length=120, blank=True)
    lms_id = models.CharField(max_length=60, blank=True, help_text="The person's ID in the LMS.")
    sis_id = models.CharField(max_length=60, blank=True, help_text="SIS User ID.")
    sis_login = models.CharField(max_length=120, blank=True, help_text="SIS Login ID.")

    objects = EnrollmentQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("offering", "user"), name="one_enrollment_a_person"),)

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) in {self.offering}"

    @property
    def is_staff(self) -> bool:
        """Instructor or TA."""
        return self.role in {Role.TA, Role.INSTRUCTOR}

    @property
    def is_instructor(self) -> bool:
        """May do what is final: weights, release of an assignment."""
        return self.role == Role.INSTRUCTOR

    @property
    def is_student(self) -> bool:
        """Is graded."""
        return self.role == Role.STUDENT


class Session(models.Model):
    """One class meeting. `week` counts calendar weeks of class; `week_label` is the number the course publishes."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="sessions")
    week = models.PositiveSmallIntegerField()
    week_label = models.CharField(max_length=10)
    part = models.CharField(max_length=80, blank=True, help_text="Named on the first week of a part only.")
    number = models.PositiveSmallIntegerField(help_text="1 or 2 within the week.")
    date = models.DateField()
    topic = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, default="lecture")

    class Meta:
        ordering = ("week", "number")
        constraints = (models.UniqueConstraint(fields=("offering", "week", "number"), name="one_topic_a_session"),)

    def __str__(self) -> str:
        return f"{self.date}: {self.topic}"


class Recess(models.Model):
    """Days without class, first and last included."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="recesses")
    name = models.CharField(max_length=80)
    starts_on = models.DateField()
    ends_on = models.DateField()

    class Meta:
        ordering = ("starts_on",)
        constraints = (models.UniqueConstraint(fields=("offering", "name"), name="one_recess_a_name"),)

    def __str__(self) -> str:
        return f"{self.name}, {self.starts_on} to {self.ends_on}"
