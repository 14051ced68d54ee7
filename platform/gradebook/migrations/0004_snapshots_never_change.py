"""The database itself refuses to change or delete a snapshot of grades."""

from django.db import migrations

from gradebook.freezing.triggers import INSTALL, REMOVE


def install(apps, schema_editor):
    for statement in INSTALL[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    for statement in REMOVE[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("gradebook", "0003_at_risk_and_kept_snapshots")]
    operations = [migrations.RunPython(install, remove)]
