"""Links the entries that were booked before GenerationCall existed: their request id is the generation's number."""

from itertools import batched

from django.db import migrations

BATCH = 1000


def link_calls(apps, schema_editor):
    Entry = apps.get_model("ledger", "Entry")
    Generation = apps.get_model("conversations", "Generation")
    GenerationCall = apps.get_model("conversations", "GenerationCall")
    booked = Entry.objects.filter(source="conversation").exclude(request_id="").order_by("pk")
    for batch in batched(booked.values_list("pk", "request_id").iterator(), BATCH):
        numbers = {pk: int(name) for pk, name in batch if name.isascii() and name.isdigit() and len(name) <= 18}
        known = set(Generation.objects.filter(pk__in=set(numbers.values())).values_list("pk", flat=True))
        GenerationCall.objects.bulk_create(
            [GenerationCall(entry_id=pk, generation_id=number) for pk, number in numbers.items() if number in known],
            ignore_conflicts=True,
        )


class Migration(migrations.Migration):

    dependencies = [
        ("conversations", "0008_generation_calls"),
        ("ledger", "0001_initial"),
    ]

    operations = [
        # Entries keep their request ids, so going back loses nothing.
        migrations.RunPython(link_calls, migrations.RunPython.noop),
    ]
