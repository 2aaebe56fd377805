import atexit
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.apps.registry import Apps
from django.core import checks
from django.db import connection
from django.db.models.signals import post_migrate

from chatsite import lookups


class ChatsiteConfig(AppConfig):
    name = "chatsite"

    def ready(self) -> None:
        lookups.register()
        post_migrate.connect(record_version, sender=self)
        checks.register(check_schema, checks.Tags.database)
        if close_pool := getattr(connection, "close_pool", None):
            # A pool that is still open when the interpreter ends waits 20 seconds for its threads.
            atexit.register(close_pool)


def record_version(*, apps: Apps | None = None, **_: Any) -> None:
    # Models can only be imported once all apps are loaded.
    from chatsite.installation import version

    # A flush passes no apps, and a partial migration may not have the table.
    if apps and "upgrade" in apps.all_models["chatsite"]:
        version.record_version()


def check_schema(*, app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[checks.CheckMessage]:
    """Makes `migrate` and `check --database default` refuse a database of a newer version."""
    from chatsite.installation import version

    fault = version.describe_newer_schema() if databases else ""
    return [checks.Error(fault, id="chatsite.E001")] if fault else []
