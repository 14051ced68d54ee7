import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A job names the version that it runs, and says whether its report counts."""

    dependencies = [
        ('assignments', '0001_initial'),
        ('grading', '0005_one_running_job_a_student'),
    ]

    operations = [
        migrations.AddField(
            model_name='gradingjob',
            name='counts',
            field=models.BooleanField(default=True, help_text="No: a dry run, whose report is nobody's score until its regrade is applied."),
        ),
        migrations.AddField(
            model_name='gradingjob',
            name='lab',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='assignments.lab'),
        ),
        migrations.RemoveConstraint(
            model_name='gradingjob',
            name='one_active_job_a_submission',
        ),
        migrations.AddConstraint(
            model_name='gradingjob',
            constraint=models.UniqueConstraint(condition=models.Q(('cancelled_at', None), ('failed_at', None), ('finished_at', None), ('counts', True)), fields=('submission',), name='one_active_job_a_submission'),
        ),
    ]
