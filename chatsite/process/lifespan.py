"""What runs beside requests for as long as the process does: it starts and ends with the server.

`manage.py serve` calls `start` and `shutdown.finish` itself. Other servers do so by ASGI's lifespan protocol.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from chatsite.errors import recorder
from chatsite.errors import writing as errors
from chatsite.failures.failure_log import SHORTAGES
from chatsite.installation.data_lock import acquire_data_lock
from chatsite.installation.start_faults import FAULTS, describe_start_fault
from chatsite.installation.static_files import are_collected
from chatsite.installation.temporary_files import remove_old_temporary_files
from chatsite.installation.unfinished import describe_unfinished_restore
from chatsite.installation.uploads_check import check_uploads
from chatsite.installation.version import describe_newer_schema, list_pending_migrations
from chatsite.keys import require_adopted_keys
from chatsite.postgresql import wait_for_database
from chatsite.process import lease, loop_delay, supervisor
from chatsite.process.draining import drain
from chatsite.process.memory import trim_when_idle
from chatsite.process.threads import LoopThreads, database_sync_to_async
from chatsite.serving import open_files, shutdown
from conversations.answering import queue, replies
from conversations.answering.ending import HANDED_OVER, INTERRUPTED
from conversations.live.hub import hub
from conversations.upkeep import watch
from gateway.serving import running
from tools.mcp import farewells
from upstreams.catalogue.listing import refresh_unlisted
from upstreams.client import close_transport

NOT_PREPARED = "The site is not prepared for this version. Run `python manage.py prepare`, and start again."
NO_BUS = (
    "Another process uses this database, and REDIS_URL is not set. People whose tabs are at one process do not see "
    "live what the other does."
)
SERVED_ALREADY = "Another chatsite is running on {}. Stop it, or set DATA_DIR to another directory."

logger = logging.getLogger(__name__)

_regular_work: list[asyncio.Task[None]] = []
_signs_of_life: list[asyncio.Task[None]] = []
"""Goes on while the process stops."""


async def start(*, takes_work: bool | None = None) -> None:
    """Resumes what a crash or stop left unfinished, and starts the regular work.

    `takes_work` says whether this process writes answers; without it, the settings do.
    """
    asyncio.get_running_loop().set_default_executor(LoopThreads(thread_name_prefix="loop"))
    replies.local.takes_work = settings.SERVE_ANSWERS if takes_work is None else takes_work
    lease.local.takes_work = replies.local.takes_work
    shutdown.on_stop(wind_down)
    open_files.raise_limit()
    await asyncio.to_thread(remove_old_temporary_files, settings.DATA_DIR)
    await database_sync_to_async(take_lease)()
    await database_sync_to_async(warn_without_bus)()
    if hub.bus:
        await hub.bus.start()
    await replies.local.saver.connect()
    await watch.take_over()
    watch.local.start()
    if not is_alone():
        lease.local.start(on_death=watch.take_over)
        if replies.local.takes_work:
            queue.local.start()
    regular_work = (trim_when_idle(), loop_delay.measure(), errors.write_regularly())
    _regular_work[:] = [asyncio.create_task(work) for work in regular_work]
    await refresh_unlisted.aenqueue()
    supervisor.notify(supervisor.READY)
    _signs_of_life[:] = [asyncio.create_task(supervisor.report_life())]


def take_lease() -> None:
    """Raises ImproperlyConfigured if this process has other keys than those before it."""
    lease.local.take(is_alone=is_alone())
    # Only now: a process with other keys that starts at the same time sees this one's row, or is seen here.
    try:
        require_adopted_keys()
    except ImproperlyConfigured:
        lease.local.release()
        raise


def is_alone() -> bool:
    """Whether no other process can use the database: on SQLite, the data's lock keeps others away."""
    return connection.vendor == "sqlite"


def lock_data(patience: float = 0) -> bool:
    """Returns False if another process still keeps this one away from the data after `patience` seconds."""
    return acquire_data_lock(patience, is_shared=not is_alone())


def warn_without_bus() -> None:
    if not is_alone() and hub.bus is None and lease.local.has_company():
        logger.warning(NO_BUS)


async def wind_down() -> None:
    drain()
    supervisor.notify(supervisor.STOPPING)
    watch.local.stop()
    queue.local.stop()
    for task in _regular_work:
        task.cancel()
    ending = INTERRUPTED if is_alone() else HANDED_OVER
    try:
        await asyncio.gather(replies.local.close(ending), running.local.close())
    finally:
        lease.local.stop()
        with suppress(*SHORTAGES):
            await database_sync_to_async(lease.local.release)()
        await errors.write(recorder.local)
        if hub.bus:
            await hub.bus.stop()
        await farewells.wait()
    await close_transport()
    for task in _signs_of_life:
        task.cancel()


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


async def try_to_start(*, takes_work: bool | None = None) -> str:
    """Returns why the site cannot start, or ""."""
    try:
        if not await asyncio.to_thread(lock_data, settings.SHUTDOWN_GRACE):
            return SERVED_ALREADY.format(settings.DATA_DIR)
        await asyncio.to_thread(wait_for_database)
        if fault := await database_sync_to_async(describe_unfit_data)():
            return fault
        if not await database_sync_to_async(is_prepared)():
            return NOT_PREPARED
        await asyncio.to_thread(check_uploads)
        await start(takes_work=takes_work)
    except FAULTS as fault:
        return describe_start_fault(fault)
    return ""


def describe_unfit_data() -> str:
    return describe_unfinished_restore() or describe_newer_schema()


def is_prepared() -> bool:
    return not list_pending_migrations() and are_collected()
