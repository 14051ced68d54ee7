"""Standing extra time; extensions keep when they were granted, and may be revoked."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

GRANT = (
    ("reason", models.TextField()),
    ("granted_at", models.DateTimeField(help_text="Empty: before this was kept.", null=True)),
    ("revoked_at", models.DateTimeField(null=True)),
    ("revoke_reason", models.TextField(blank=True, help_text="The student reads it.")),
)


def person():
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
    )


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0002_cooldown"),
        ("courses", "0002_extensions_and_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            "Accommodation",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.PositiveSmallIntegerField()),
                (
                    "unit",
                    models.CharField(
                        choices=[("minutes", "minutes"), ("hours", "hours"), ("days", "days")], max_length=7
                    ),
                ),
                ("kinds", models.JSONField(blank=True, default=list, help_text="Kinds of work; empty: all of them.")),
                ("first_on", models.DateField(help_text="For what is due to others from this day on.", null=True)),
                ("last_on", models.DateField(help_text="And until this one, included.", null=True)),
                *((name, field.clone()) for name, field in GRANT),
                ("granted_by", person()),
                ("revoked_by", person()),
                (
                    "enrollment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="accommodations",
                        to="courses.enrollment",
                    ),
                ),
            ],
            options={"ordering": ("-pk",)},
        ),
        migrations.AddConstraint(
            "accommodation", models.CheckConstraint(condition=Q(amount__gt=0), name="extra_time_is_some")
        ),
        migrations.AddConstraint(
            "accommodation",
            models.CheckConstraint(
                condition=Q(first_on=None) | Q(last_on=None) | Q(last_on__gte=F("first_on")),
                name="last_day_after_first",
            ),
        ),
        migrations.AlterModelOptions("extension", {"ordering": ("-pk",)}),
        *(migrations.AddField("extension", name, field.clone()) for name, field in GRANT[1:]),
        migrations.AddField("extension", "revoked_by", person()),
        migrations.RemoveConstraint("extension", "one_extension_a_student"),
        migrations.AddConstraint(
            "extension",
            models.UniqueConstraint(
                condition=Q(revoked_at=None), fields=("assignment", "enrollment"), name="one_extension_a_student"
            ),
        ),
    ]
