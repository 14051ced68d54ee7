"""The least minutes between two submissions of a student."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assignments", "0001_initial")]

    operations = [
        migrations.AddField(
            "assignment",
            "cooldown_minutes",
            models.PositiveSmallIntegerField(
                blank=True, help_text="Between two submissions of a student; empty: none.", null=True
            ),
        ),
    ]
