"""Copies of the names that upstreams.0007 changes, also in the messages of failures."""

from django.db import migrations

from upstreams.migrations._names import rename_copies, strip_address


def rename(apps, schema_editor):
    Generation = apps.get_model("conversations", "Generation")
    rename_copies(Generation)
    failed = Generation.objects.filter(error_message__contains="-compatible (").values_list("pk", "error_message")
    for pk, message in list(failed):
        Generation.objects.filter(pk=pk).update(error_message=strip_address(message))


class Migration(migrations.Migration):

    dependencies = [
        ("conversations", "0012_number_limits"),
    ]

    operations = [
        migrations.RunPython(rename, migrations.RunPython.noop),
    ]
