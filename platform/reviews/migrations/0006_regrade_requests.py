"""Requests for another look at a score."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


def person():
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
    )


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0005_second_readings_and_similar_pairs"),
        ("courses", "0002_extensions_and_requests"),
        ("submissions", "0002_signed_receipts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            "RegradeRequest",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "item_title",
                    models.CharField(blank=True, help_text="Copied; empty: the whole score.", max_length=200),
                ),
                ("reason", models.TextField()),
                ("asked_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("answered", "Answered"), ("withdrawn", "Withdrawn")],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("answer", models.TextField(blank=True, help_text="The student reads it.")),
                ("answered_at", models.DateTimeField(null=True)),
                ("score_before", models.DecimalField(decimal_places=2, max_digits=7, null=True)),
                ("score_after", models.DecimalField(decimal_places=2, max_digits=7, null=True)),
                ("mailed_at", models.DateTimeField(null=True)),
                ("answered_by", person()),
                ("grader_before", person()),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="regrade_requests",
                        to="courses.enrollment",
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="reviews.rubricitem",
                    ),
                ),
                (
                    "submission",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="regrade_requests",
                        to="submissions.submission",
                    ),
                ),
            ],
            options={"ordering": ("pk",)},
        ),
        migrations.AddConstraint(
            "regraderequest",
            models.UniqueConstraint(
                condition=Q(status="open"), fields=("submission",), name="one_open_request_a_score"
            ),
        ),
        migrations.AddConstraint(
            "regraderequest",
            models.CheckConstraint(
                condition=Q(status="answered", answered_at__isnull=False)
                | Q(status="withdrawn", withdrawn_at__isnull=False, answered_at=None)
                | Q(status="open", withdrawn_at=None, answered_at=None),
                name="request_status_has_its_moment",
            ),
        ),
    ]
