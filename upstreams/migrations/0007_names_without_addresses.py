"""Default names of providers and models once had the address of a server, or the path of a file on it."""

from django.db import migrations

from upstreams.migrations._names import strip_address, strip_folders


def rename(apps, schema_editor):
    Provider, ChatModel = apps.get_model("upstreams", "Provider"), apps.get_model("upstreams", "ChatModel")
    for provider in Provider.objects.filter(source="environment", name__contains="-compatible (").order_by("pk"):
        name = strip_address(provider.name)
        taken = {each.lower() for each in Provider.objects.exclude(pk=provider.pk).values_list("name", flat=True)}
        tries = [name, *(f"{name} ({number})" for number in range(2, len(taken) + 3))]
        provider.name = next(each for each in tries if each.lower() not in taken)
        provider.save(update_fields=["name"])
    for model in list(ChatModel.objects.all()):
        listed = model.as_listed.get("name")
        if listed and strip_folders(listed) != listed:
            model.as_listed["name"] = strip_folders(listed)
        if model.name in (listed, model.model_id):
            model.name = strip_folders(model.name)
        model.save(update_fields=["name", "as_listed"])


class Migration(migrations.Migration):

    dependencies = [
        ("upstreams", "0006_number_limits"),
    ]

    operations = [
        migrations.RunPython(rename, migrations.RunPython.noop),
    ]
