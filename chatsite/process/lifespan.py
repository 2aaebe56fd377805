"""What runs beside requests for as long as the process does: it starts and ends with the server.

`manage.py serve` calls `start` and `shutdown.finish` itself. Other servers do so by ASGI's lifespan protocol.
"""

import asyncio
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chatsite.failures.failure_log import SHORTAGES
from chatsite.installation.data_lock import acquire_data_lock, describe_unfinished_restore
from chatsite.installation.start_faults import FAULTS, describe_start_fault
from chatsite.installation.static_files import are_collected
from chatsite.installation.version import describe_newer_schema
from chatsite.process import lease
from chatsite.process.memory import trim_when_idle
from chatsite.serving import open_files, shutdown
from conversations.answering import replies
from conversations.live.hub import hub
from conversations.upkeep import watch
from gateway.serving import running
from tools.mcp import farewells
from upstreams.catalogue.listing import refresh_unlisted
from upstreams.client import close_transport

NOT_PREPARED = "The site is not prepared for this version. Run `python manage.py prepare`, and start again."
SERVED_ALREADY = "Another chatsite is running on {}. Stop it, or set DATA_DIR to another directory."

_trimming: asyncio.Task[None] | None = None


async def start() -> None:
    """Resumes what a crash or stop left unfinished, and starts the regular work."""
    global _trimming
    shutdown.on_stop(wind_down)
    open_files.raise_limit()
    await sync_to_async(lease.local.take)(is_alone=is_alone())
    if hub.bus:
        await hub.bus.start()
    await replies.local.saver.connect()
    await watch.take_over()
    watch.local.start()
    if not is_alone():
        lease.local.start(on_death=watch.take_over)
    _trimming = asyncio.create_task(trim_when_idle())
    await refresh_unlisted.aenqueue()


def is_alone() -> bool:
    """Whether no other process can use the database: on SQLite, the data's lock keeps others away."""
    return connection.vendor == "sqlite"


async def wind_down() -> None:
    watch.local.stop()
    if _trimming:
        _trimming.cancel()
    try:
        await asyncio.gather(replies.local.close(), running.local.close())
    finally:
        lease.local.stop()
        with suppress(*SHORTAGES):
            await sync_to_async(lease.local.release)()
        if hub.bus:
            await hub.bus.stop()
        await farewells.wait()
    await close_transport()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Speaks ASGI's lifespan protocol."""
    await receive()
    if fault := await try_to_start():
        await send({"type": "lifespan.startup.failed", "message": fault})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await shutdown.finish(settings.SHUTDOWN_GRACE)
    await send({"type": "lifespan.shutdown.complete"})


async def try_to_start() -> str:
    """Returns why the site cannot start, or ""."""
    try:
        if not await asyncio.to_thread(acquire_data_lock, settings.SHUTDOWN_GRACE):
            return SERVED_ALREADY.format(settings.DATA_DIR)
        if fault := describe_unfinished_restore() or await sync_to_async(describe_newer_schema)():
            return fault
        if not await sync_to_async(is_prepared)():
            return NOT_PREPARED
        await start()
    except FAULTS as fault:
        return describe_start_fault(fault)
    return ""


def is_prepared() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes()) and are_collected()
