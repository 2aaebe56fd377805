from typing import Any

from django.apps import AppConfig
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class ToolsConfig(AppConfig):
    name = "tools"
    verbose_name = "Tools"

    def ready(self) -> None:
        post_migrate.connect(keep_builtin, sender=self)


def keep_builtin(*, apps: Apps | None = None, **_: Any) -> None:
    """After `migrate` the built-in tools have their rows, however the site is served then."""
    from tools import listing
    from tools.models import Tool

    # After a flush nothing is asked for, and halfway through the migrations the table is another one.
    if apps is None or "tool" not in apps.all_models["tools"]:
        return
    migrated = apps.get_model("tools", "Tool")
    if {field.column for field in migrated._meta.local_fields} == {field.column for field in Tool._meta.local_fields}:
        listing.keep_builtin()
