"""A job learns whose it is, in which lane it waits, since when, and what failed: first as columns that may be empty."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("courses", "0001_initial"),
        ("grading", "0002_workers_drains_canaries"),
        ("submissions", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            "gradingjob",
            "student",
            models.ForeignKey(
                "courses.enrollment",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="jobs",
                help_text="Whose work it is.",
            ),
        ),
        migrations.AddField(
            "gradingjob",
            "lane",
            models.CharField(
                default="grading",
                max_length=12,
                choices=[("interactive", "Run checks"), ("grading", "Submissions"), ("gpu", "GPU labs")],
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "gradingjob",
            "rerun",
            models.BooleanField(default=False, help_text="Asked for by staff for graded work; last in its lane."),
        ),
        migrations.AddField("gradingjob", "in_line_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "gradingjob",
            "faults",
            models.PositiveSmallIntegerField(default=0, help_text="Runs that ended by our fault."),
        ),
        migrations.AddField(
            "gradingjob",
            "faulted_on",
            models.CharField(blank=True, default="", max_length=120, help_text="The worker of the latest fault."),
            preserve_default=False,
        ),
        migrations.AddField("gradingjob", "faulted_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "gradingjob",
            "superseded_by",
            models.ForeignKey(
                "submissions.submission",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                help_text="What its student set it aside for.",
            ),
        ),
        migrations.AlterField(
            "gradingjob",
            "failed_at",
            models.DateTimeField(help_text="By our fault; from then on it waits for staff.", null=True),
        ),
    ]
