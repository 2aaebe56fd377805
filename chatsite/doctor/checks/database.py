"""The database: its version, migrations, connections, and clock."""

import time
from collections.abc import Iterator
from typing import Any, Final, cast

from django.conf import settings
from django.db import connection

from chatsite.doctor.findings import Diagnosis, broken, count, look_at, ok
from chatsite.installation.version import describe_newer_schema, list_pending_migrations
from chatsite.models import Process
from chatsite.values.figures import size

CONNECT_TIMEOUT: Final = 3
"""Seconds, a whole number."""
SPARE_CONNECTIONS: Final = 5
"""For backups and commands."""
CLOCK_DIFFERENCE: Final = 5.0
"""Seconds. More is not the time that the answer takes."""


def check_connection() -> Iterator[Diagnosis]:
    """Finds out in time why PostgreSQL cannot be reached: the pool would try for ten seconds, and say less."""
    if connection.vendor != "postgresql":
        connection.ensure_connection()
        return
    with connection.wrap_database_errors:
        # Installed only where DATABASE_URL asks for it.
        parameters = connection.get_connection_params() | {"connect_timeout": CONNECT_TIMEOUT}
        cast(Any, connection).Database.connect(**parameters).close()
    yield from ()


def check_version() -> Iterator[Diagnosis]:
    if connection.vendor == "sqlite":
        [[version]] = query("SELECT sqlite_version()")
        [[pages, each]] = query("SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
        yield ok(f"SQLite {version} answers. The database has {size(pages * each)}.")
    else:
        [[version, total]] = query("SELECT current_setting('server_version'), pg_database_size(current_database())")
        yield ok(f"PostgreSQL {version.split()[0]} answers. The database has {size(total)}.")


def check_migrations() -> Iterator[Diagnosis]:
    if fault := describe_newer_schema():
        yield broken(fault, "Run the newer version, or restore a backup from before the update.")
    elif pending := list_pending_migrations():
        yield broken(
            f"The database lacks {count(len(pending), 'migration')} of this version, such as {pending[0]}.",
            "Run `python manage.py prepare`, or start the site with `manage.py serve` if no other process runs.",
        )
    else:
        yield ok("All migrations are applied.")


def check_connections() -> Iterator[Diagnosis]:
    if connection.vendor != "postgresql":
        return
    [[most]] = query("SELECT current_setting('max_connections')::int")
    processes = max(1, Process.objects.count())
    needed = processes * settings.DATABASE_CONNECTIONS + SPARE_CONNECTIONS
    if needed > most:
        yield look_at(
            f"PostgreSQL allows {most} connections, and {count(processes, 'process')} "
            f"with DATABASE_CONNECTIONS={settings.DATABASE_CONNECTIONS} may need {needed}.",
            f"Raise max_connections of PostgreSQL to {needed + 3} or more, or lower DATABASE_CONNECTIONS.",
        )


def check_clocks() -> Iterator[Diagnosis]:
    if connection.vendor != "postgresql":
        return
    before = time.time()
    [[there]] = query("SELECT extract(epoch FROM clock_timestamp())::float")
    ahead = there - (before + time.time()) / 2
    if abs(ahead) > CLOCK_DIFFERENCE:
        yield look_at(
            f"The clock of PostgreSQL is {abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} that of this "
            "machine.",
            "Let both machines keep their time with NTP.",
        )
    latest = max((moment.timestamp() for moment in Process.objects.values_list("started_at", flat=True)), default=0)
    if latest - time.time() > CLOCK_DIFFERENCE:
        yield look_at(
            f"Another process started {latest - time.time():.0f} seconds in the future of this machine’s clock.",
            "Let all machines keep their time with NTP.",
        )


def query(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
