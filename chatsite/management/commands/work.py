"""`manage.py work`: writes answers and cleans up, and serves nothing."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatsite.process import lifespan
from chatsite.serving import shutdown

NEEDS = (
    "`work` needs PostgreSQL (DATABASE_URL) and Redis (REDIS_URL), so that others can serve what it writes. On SQLite, "
    "`serve` writes all answers itself."
)


class Command(BaseCommand):
    help = "Writes answers for the `serve` processes of the same database, and cleans up. Serves nothing."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if lifespan.is_alone() or not settings.REDIS_URL:
            raise CommandError(NEEDS)
        asyncio.run(self.work())

    async def work(self) -> None:
        if fault := await lifespan.try_to_start(takes_work=True):
            raise CommandError(fault)
        with shutdown.hurrying() as stop:
            self.stdout.write("chatsite is writing answers.")
            self.stdout.flush()
            await stop
        await shutdown.finish(settings.SHUTDOWN_GRACE)
