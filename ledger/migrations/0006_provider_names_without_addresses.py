"""Copies of the names that upstreams.0007 changes."""

from django.db import migrations

from upstreams.migrations._names import rename_copies


def rename(apps, schema_editor):
    rename_copies(apps.get_model("ledger", "Entry"))
    rename_copies(apps.get_model("ledger", "UsageSum"))


class Migration(migrations.Migration):

    dependencies = [
        ("ledger", "0005_not_negative"),
    ]

    operations = [
        migrations.RunPython(rename, migrations.RunPython.noop),
    ]
