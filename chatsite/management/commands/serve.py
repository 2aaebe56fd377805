"""`manage.py serve`: prepares the whole site and serves it in one process."""

import asyncio
import errno
import socket
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from twisted.internet import reactor

from accounts import set_up
from chatsite import shutdown
from chatsite.addresses import EVERYWHERE, build_site_url
from chatsite.data_lock import acquire_data_lock
from chatsite.memory import trim_when_idle
from chatsite.private_files import protect_files
from chatsite.server import Server
from chatsite.static_files import collect_if_changed
from chatsite.version import require_known_schema
from conversations.answering import replies
from conversations.upkeep import recovery
from gateway.serving import running
from ledger.booking import entries
from tools.catalogue import sync_builtin_tools
from upstreams.catalogue.environment import sync_providers
from upstreams.catalogue.listing import refresh_unlisted
from upstreams.client import close_transport

STOPPING: Final = 5.0
"""Seconds that a process may take to stop after its grace."""


class Command(BaseCommand):
    help = "Prepares the site (database, first administrator, providers, tools) and serves it at HOST:PORT."
    # System checks query the database, which may not be reachable yet. `make lint` runs them.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.protect_files()
        self.lock_data()
        collect_if_changed()
        # Daphne calls `prepare` after it binds the port, so an accidental second start changes nothing.
        server = Server(ready_callable=self.prepare)
        server.run()
        if server.fault:
            raise CommandError(self.describe_fault(server.fault))

    def prepare(self) -> None:
        self.connect_to_database()
        self.migrate()
        self.create_administrator()
        sync_providers()
        sync_builtin_tools()
        self.resume_work()
        connection.close()
        self.announce()

    def protect_files(self) -> None:
        if unprotected := protect_files():
            self.stderr.write(unprotected)

    def lock_data(self) -> None:
        """Waits for a process that is about to stop: it still finishes answers, and this one would interrupt them."""
        if acquire_data_lock():
            return
        if is_port_in_use():
            raise CommandError(self.describe_fault(OSError(errno.EADDRINUSE, "")))
        self.stdout.write("Another chatsite is running on this DATA_DIR. Waiting for it to stop.")
        self.stdout.flush()
        if not acquire_data_lock(settings.SHUTDOWN_GRACE + STOPPING):
            raise CommandError(
                f"Another chatsite is running on {settings.DATA_DIR}. Stop it, or set DATA_DIR to another directory."
            )

    def connect_to_database(self) -> None:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise CommandError(f"Could not connect to the database: {' '.join(str(error).split())}") from error

    def migrate(self) -> None:
        require_known_schema()
        executor = MigrationExecutor(connection)
        if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
            self.stdout.write(f"Updated the database ({len(plan)} migration{'' if len(plan) == 1 else 's'}).")

    def create_administrator(self) -> None:
        try:
            if administrator := set_up.create_administrator_from_environment():
                self.stdout.write(f"Created the administrator {administrator.username}.")
        except set_up.NoPassword as refusal:
            self.stderr.write(str(refusal))

    def resume_work(self) -> None:
        """Resumes what a crash or stop left unfinished."""
        waiting = recovery.recover()
        entries.recover()
        shutdown.on_stop(wind_down)
        reactor.callWhenRunning(lambda: asyncio.ensure_future(start_work(waiting)))
        reactor.callWhenRunning(lambda: asyncio.ensure_future(trim_when_idle()))

    def announce(self) -> None:
        self.stdout.write(f"chatsite is running at {build_site_url()}")
        if set_up.is_needed():
            self.stdout.write(f"Set up the first administrator at {set_up.make_link(build_site_url())}")
        self.stdout.flush()

    def describe_fault(self, fault: OSError) -> str:
        where = f"{settings.HOST}:{settings.PORT}"
        if fault.errno == errno.EADDRINUSE:
            return f"Port {settings.PORT} is in use. Stop the program at {where}, or set PORT to a free port."
        return f"Could not listen at {where}: {fault.strerror or fault}"


def is_port_in_use() -> bool:
    host = settings.HOST.strip("[]")
    try:
        socket.create_connection(("localhost" if host in EVERYWHERE else host, settings.PORT), timeout=1).close()
    except OSError:
        return False
    return True


async def wind_down() -> None:
    await asyncio.gather(replies.local.close(), running.local.close())
    await close_transport()


async def start_work(generations: list[int]) -> None:
    await refresh_unlisted.aenqueue()
    for pk in generations:
        await replies.generate.aenqueue(pk)
