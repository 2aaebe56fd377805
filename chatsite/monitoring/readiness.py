"""Finds out whether this process can serve requests, at a bounded cost however often somebody asks."""

import asyncio
import time
from typing import Final

from django.db import connection

from chatsite.failures.failure_log import SHORTAGES
from chatsite.installation.version import list_pending_migrations
from chatsite.models import Process
from chatsite.monitoring import inquiry
from chatsite.monitoring.inquiry import Inquiry
from chatsite.process import lease
from chatsite.process.draining import is_draining
from conversations.live.hub import hub
from conversations.upkeep import watch

OK: Final = "ok"
UNKNOWN: Final = "unknown"
REUSED_FOR: Final = 1.0
"""Seconds for which an answer of the database is reused."""
MIGRATIONS_RECHECK: Final = 5.0
"""Seconds between two looks for migrations while some are pending. Once all are applied, that stays true."""

type Findings = dict[str, str]
"""By check: OK, or what is wrong, in words that anybody may read."""


class Readiness:
    """The checks of one process. Simultaneous calls of `check` share one question to the database."""

    def __init__(self) -> None:
        self._database = Inquiry(self._look, "readiness")
        self._checking: asyncio.Task[Findings] | None = None
        self._checked_at = float("-inf")
        self._is_migrated = False
        self._migrations_checked_at = float("-inf")

    async def check(self) -> Findings:
        """Returns a finding for each check. The process is ready if all are OK."""
        if self._checking is None or (self._checking.done() and time.monotonic() - self._checked_at >= REUSED_FOR):
            self._checking = asyncio.create_task(self._check_database())
        findings = {**await asyncio.shield(self._checking)}
        if hub.bus:
            findings["redis"] = OK if hub.bus.hears_itself else "unreachable"
        findings["upkeep"] = OK if watch.local.is_running else "stopped"
        findings["draining"] = "the process is about to stop" if is_draining() else OK
        return findings

    async def _check_database(self) -> Findings:
        try:
            return await self._await_database()
        finally:
            self._checked_at = time.monotonic()

    async def _await_database(self) -> Findings:
        try:
            return await self._database.ask()
        except TimeoutError:
            fault = f"no answer within {inquiry.LIMIT:g} seconds"
        except SHORTAGES:
            fault = "unreachable"
        return {"database": fault, "migrations": OK if self._is_migrated else UNKNOWN, "lease": UNKNOWN}

    def _look(self) -> Findings:
        connection.ensure_connection()
        if not self._is_migrated and time.monotonic() - self._migrations_checked_at >= MIGRATIONS_RECHECK:
            self._is_migrated = not list_pending_migrations()
            self._migrations_checked_at = time.monotonic()
        if not self._is_migrated:
            return {"database": OK, "migrations": "pending", "lease": UNKNOWN}
        has_row = Process.objects.filter(pk=lease.local.key).exists()
        return {
            "database": OK,
            "migrations": OK,
            "lease": OK if has_row and not lease.local.is_late else "this process does not hold one",
        }


local = Readiness()
"""This process's readiness."""
