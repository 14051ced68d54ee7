"""Whether TAs grant extensions, and how long students may ask for another look at a score."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("courses", "0001_initial")]

    operations = [
        migrations.AddField(
            "offering",
            "tas_extend",
            models.BooleanField(default=False, help_text="TAs, too, may grant and revoke extensions."),
        ),
        migrations.AddField(
            "offering",
            "regrade_window_days",
            models.PositiveSmallIntegerField(
                default=7,
                help_text="How long after their release students may ask for another look at scores; 0: not at all.",
            ),
        ),
    ]
