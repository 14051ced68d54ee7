import json

import django.db.models.deletion
from django.db import migrations, models


def fill(apps, _schema_editor):
    """From the report where there is one, which names the version that it came from; else the version in use now."""
    jobs, labs = apps.get_model('grading', 'GradingJob').objects, apps.get_model('assignments', 'Lab').objects
    by_version = {(slug, version): pk for pk, slug, version in labs.values_list('pk', 'slug', 'version')}
    fields = ('pk', 'stored_report__data', 'submission__assignment__lab_id', 'practice_run__assignment__lab_id')
    for waiting in list(jobs.filter(lab=None).values_list('pk', flat=True)):
        pk, data, of_submission, of_run = jobs.values_list(*fields).get(pk=waiting)
        report = json.loads(data) if data else {}
        found = by_version.get((report.get('lab'), report.get('lab_version')))
        jobs.filter(pk=pk).update(lab_id=found or of_submission or of_run)


class Migration(migrations.Migration):
    """Give earlier jobs their version. Not atomic: PostgreSQL changes no table whose rows the same transaction changed."""

    atomic = False

    dependencies = [
        ('grading', '0006_version_and_dry_runs'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name='gradingjob',
            name='lab',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='assignments.lab'),
        ),
    ]
