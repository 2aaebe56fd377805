from typing import Any

from django.apps import AppConfig
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class ToolsConfig(AppConfig):
    name = "tools"
    verbose_name = "Tools"

    def ready(self) -> None:
        post_migrate.connect(add_builtin_tools, sender=self)


def add_builtin_tools(*, apps: Apps | None = None, **_: Any) -> None:
    """Gives the built-in tools their rows after `migrate`, so that every way of serving the site has them."""
    # Models can only be imported once all apps are loaded.
    from tools import catalogue
    from tools.models import Tool

    # A flush passes no apps. After a partial migration the table still has other columns than the model.
    if apps is None or "tool" not in apps.all_models["tools"]:
        return
    migrated = apps.get_model("tools", "Tool")
    if {field.column for field in migrated._meta.local_fields} == {field.column for field in Tool._meta.local_fields}:
        catalogue.sync_builtin_tools()
