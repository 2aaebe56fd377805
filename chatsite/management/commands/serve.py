"""`manage.py serve`: prepares the whole site and serves it in one process."""

import asyncio
import errno
import socket
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from twisted.internet import reactor

from chatsite.addresses import EVERYWHERE, build_site_url
from chatsite.identity import identify
from chatsite.installation.start_faults import FAULTS, describe_start_fault
from chatsite.installation.static_files import collect_if_changed
from chatsite.management.preparing import PreparingCommand
from chatsite.process import lifespan
from chatsite.serving import open_files
from chatsite.serving.server import Server

STOPPING: Final = 5.0
"""Seconds that a process may take to stop after its grace."""


class Command(PreparingCommand):
    help = "Prepares the site (database, first administrator, providers, tools) and serves it at HOST:PORT."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.serve()
        except FAULTS as fault:
            raise CommandError(describe_start_fault(fault)) from fault

    def serve(self) -> None:
        self.protect_files()
        self.lock_data()
        self.require_whole_data()
        collect_if_changed()
        # Daphne calls `prepare` after it binds the port, so an accidental second start changes nothing.
        self.server = Server(ready_callable=self.prepare, identify=identify)
        self.fault: BaseException | None = None
        self.server.run()
        if self.server.fault:
            raise CommandError(self.describe_fault(self.server.fault))
        if self.fault:
            raise self.fault

    def prepare(self) -> None:
        self.prepare_database(may_have_company=False)
        connection.close()
        reactor.callWhenRunning(lambda: asyncio.ensure_future(self.start()))

    async def start(self) -> None:
        try:
            await lifespan.start()
            await asyncio.to_thread(self.announce)
        except BaseException as fault:
            self.fault = fault
            self.server.stop()

    def announce(self) -> None:
        self.stdout.write(open_files.describe_limit(open_files.raise_limit()))
        self.stdout.write(f"chatsite is running at {build_site_url()}")
        self.announce_set_up()
        self.stdout.flush()
        connection.close()

    def lock_data(self) -> None:
        """Waits for a process that is about to stop: it still finishes answers, and this one would interrupt them."""
        if lifespan.lock_data():
            return
        if is_port_in_use():
            raise CommandError(self.describe_fault(OSError(errno.EADDRINUSE, "")))
        self.stdout.write("Another chatsite is running on this DATA_DIR. Waiting for it to stop.")
        self.stdout.flush()
        if not lifespan.lock_data(settings.SHUTDOWN_GRACE + STOPPING):
            raise CommandError(lifespan.SERVED_ALREADY.format(settings.DATA_DIR))

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
