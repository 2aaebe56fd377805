"""Which version of chatsite runs, which one has migrated the database, and whether they fit together."""

import tomllib
from functools import cache

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from chatsite.models import Upgrade


@cache
def read_version() -> str:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    version: str = project["project"]["version"]
    return version


def record_version() -> None:
    """Remembers that this version has migrated the database, unless it was the last to do so."""
    if find_recorded_version() != read_version():
        Upgrade.objects.create(version=read_version())


def find_recorded_version() -> str:
    """The version that migrated the database last, or "" if it was one that did not record that."""
    if Upgrade._meta.db_table not in connection.introspection.table_names():
        return ""
    # Names its columns: a newer version may have others.
    return Upgrade.objects.order_by("-pk").values_list("version", flat=True).first() or ""


def list_applied_migrations() -> list[str]:
    """The database's migrations, as `app.name`."""
    return [f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()]


def list_pending_migrations() -> list[str]:
    """This version's migrations that the database lacks, as `app.name`."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def find_unknown(migrations: list[str]) -> list[str]:
    """Those of the migrations that this version does not have: a newer one has applied them."""
    loader = MigrationLoader(None)
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    replaced = {f"{app}.{name}" for each in loader.disk_migrations.values() for app, name in each.replaces}
    return sorted(set(migrations) - known - replaced)


def require_known_schema() -> None:
    """Raises CommandError if a newer version has migrated the database."""
    if fault := describe_newer_schema():
        raise CommandError(fault)


def describe_newer_schema() -> str:
    """Returns "" if this version knows all that the database contains."""
    unknown = find_unknown(list_applied_migrations())
    return describe_newer("The database", find_recorded_version(), unknown) if unknown else ""


def describe_newer(subject: str, version: str, unknown: list[str]) -> str:
    """Explains that this version is too old. `version` is the one that made `subject`, or ""."""
    rest = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    made_by = f"chatsite {version}" if version else "a newer chatsite"
    return (
        f"{subject} was last changed by {made_by}. This is chatsite {read_version()}, which does not know "
        f"its migration {unknown[0]}{rest}. Run that version or a later one, "
        "or restore a backup from before the update."
    )
