"""What holds from now on: a job has a student and a place in line, and a student one running job a lane."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

ACTIVE = Q(cancelled_at=None, failed_at=None, finished_at=None)


class Migration(migrations.Migration):
    dependencies = [
        ("courses", "0001_initial"),
        ("grading", "0004_jobs_know_their_student"),
    ]

    operations = [
        migrations.AlterField(
            "gradingjob",
            "student",
            models.ForeignKey(
                "courses.enrollment",
                on_delete=django.db.models.deletion.CASCADE,
                related_name="jobs",
                help_text="Whose work it is.",
            ),
        ),
        migrations.AlterField("gradingjob", "in_line_at", models.DateTimeField()),
        migrations.AddIndex(
            "gradingjob",
            models.Index(fields=["lane", "rerun", "in_line_at"], condition=ACTIVE, name="jobs_in_line"),
        ),
        migrations.AddIndex(
            "gradingjob",
            models.Index(fields=["lane", "-finished_at"], condition=Q(finished_at__isnull=False), name="recent_runs"),
        ),
        migrations.AddConstraint(
            "gradingjob",
            models.UniqueConstraint(
                fields=("student", "lane"),
                condition=ACTIVE & Q(started_at__isnull=False),
                name="one_running_job_a_student",
            ),
        ),
    ]
