import datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('projects', '0003_format_driving'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='talk',
            name='one_talk_a_team',
        ),
        migrations.RemoveConstraint(
            model_name='talk',
            name='talk_closes_after_opening',
        ),
        migrations.RemoveField(
            model_name='talk',
            name='began_at',
        ),
        migrations.RemoveField(
            model_name='talk',
            name='ended_at',
        ),
        migrations.AddField(
            model_name='presentationrules',
            name='first_talk',
            field=models.TimeField(default=datetime.time(9, 0), help_text="When a session's first talk begins, by the clock in class."),
        ),
        migrations.AddField(
            model_name='staffrating',
            name='revision',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='talk',
            name='practice',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='talk',
            name='released_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='talk',
            name='taken_back_at',
            field=models.DateTimeField(help_text='The last time; a later release clears it.', null=True),
        ),
        migrations.AddField(
            model_name='talk',
            name='taken_back_reason',
            field=models.TextField(blank=True, help_text='The team reads it.'),
        ),
        migrations.AlterField(
            model_name='talk',
            name='position',
            field=models.PositiveSmallIntegerField(help_text='Within the session, from 1.'),
        ),
        migrations.AddConstraint(
            model_name='presentationrules',
            constraint=models.CheckConstraint(condition=models.Q(('talk_minutes__gte', 1)), name='talk_takes_time'),
        ),
        migrations.AddConstraint(
            model_name='staffmark',
            constraint=models.CheckConstraint(condition=models.Q(('score__gte', 1)), name='staff_mark_from_one'),
        ),
        migrations.AddConstraint(
            model_name='talk',
            constraint=models.UniqueConstraint(condition=models.Q(('practice', False)), fields=('offering', 'team'), name='one_talk_a_team'),
        ),
        migrations.AddConstraint(
            model_name='talk',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at', None), ('opened_at__isnull', False)), fields=('offering',), name='one_open_talk'),
        ),
        migrations.AddConstraint(
            model_name='talk',
            constraint=models.CheckConstraint(condition=models.Q(('closed_at', None), models.Q(('closed_at__gte', models.F('opened_at')), ('opened_at__isnull', False)), _connector='OR'), name='talk_closes_after_opening'),
        ),
        migrations.AddConstraint(
            model_name='talk',
            constraint=models.CheckConstraint(condition=models.Q(('released_at', None), ('closed_at__isnull', False), _connector='OR'), name='talk_closed_before_release'),
        ),
    ]
