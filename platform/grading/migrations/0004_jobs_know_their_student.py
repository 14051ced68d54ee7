"""Fills the new columns. Runs that are under way begin anew: nobody may have two of them any more."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce


def fill(apps, schema_editor):
    job = apps.get_model("grading", "GradingJob")
    submission = apps.get_model("submissions", "Submission").objects.filter(pk=OuterRef("submission"))
    practice = apps.get_model("submissions", "PracticeRun").objects.filter(pk=OuterRef("practice_run"))
    job.objects.update(
        student=Coalesce(Subquery(submission.values("enrollment")), Subquery(practice.values("enrollment"))),
        in_line_at=F("requested_at"),
    )
    job.objects.filter(submission=None).update(lane="interactive")
    begun = job.objects.filter(started_at__isnull=False, finished_at=None, failed_at=None, cancelled_at=None)
    begun.update(started_at=None, lease_until=None, queued_at=None, worker="", fence=F("fence") + 1)


class Migration(migrations.Migration):
    dependencies = [("grading", "0003_fair_lanes")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
