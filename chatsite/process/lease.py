"""What a process is writing belongs to it while its row in `Process` exists.

Each process beats: it counts up its row once a second. A process whose beat another one has seen unchanged for
`QUIET` seconds, on its own monotonic clock, is dead: its row is deleted, and its work is there to be taken over. No
clocks are compared. An observer that cannot write or was asleep has seen nothing: a locked database or a suspended
machine must not make the living look dead.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q

from chatsite.failures.failure_log import FailureLog
from chatsite.models import Process
from chatsite.process.threads import OwnThread, database_sync_to_async

INTERVAL: Final = 1.0
"""Seconds between two beats."""
QUIET: Final = 10.0
"""Seconds without a beat after which a process is dead."""
LATE: Final = 2.5
"""Seconds between two looks at the others, or for one, after which the observer trusts only what it sees from now."""

logger = logging.getLogger(__name__)
failures = FailureLog("Showing other processes that this one is alive")


class Lease:
    """This process's row, and its watch over the rows of the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.key = 0
        """The row's key; 0 before `take`."""
        self.takes_work = True
        """Whether this process writes answers, for its row."""
        self._seen: dict[int, tuple[int, float]] = {}
        """By key: the latest beat, and since when it has been unchanged."""
        self._looked_at = float("-inf")
        self._beaten_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def is_late(self) -> bool:
        """Whether this process should have beaten by now, and has not."""
        return self._task is not None and self._clock() - self._beaten_at > QUIET / 2

    def take(self, *, is_alone: bool) -> None:
        """Adds the row. A process that is alone, because it holds the data's lock, deletes the rows of all others."""
        if is_alone:
            Process.objects.all().delete()
        self.key = Process.objects.create(takes_work=self.takes_work).pk
        self._beaten_at = self._clock()

    def release(self) -> None:
        Process.objects.filter(pk=self.key).delete()
        self.key = 0

    def has_row(self) -> Q:
        """The condition that this process has its row. Met before `take`, too."""
        return Q(Exists(Process.objects.filter(pk=self.key))) if self.key else Q()

    def has_company(self) -> bool:
        """Whether other processes use the database, or have left their rows."""
        return Process.objects.exclude(pk=self.key).exists()

    def is_first(self) -> bool:
        """Whether this process is the one that does what only one has to do."""
        return not Process.objects.filter(pk__lt=self.key).exists()

    def beat(self) -> bool:
        """Returns False if another process has taken this one for dead."""
        begun = self._clock()
        is_known = Process.objects.filter(pk=self.key).update(beat=F("beat") + 1) == 1
        if is_known:
            self._beaten_at = begun
        return is_known

    def find_dead(self) -> list[int]:
        """Returns other processes that have been quiet for too long. Call it after each successful beat."""
        begun = self._clock()
        beats = dict(Process.objects.exclude(pk=self.key).values_list("pk", "beat"))
        moment = self._clock()
        was_asleep = moment - self._looked_at > LATE or moment - begun > LATE
        self._looked_at = moment
        self._seen = {
            key: (beat, moment) if was_asleep or self._seen.get(key, (None, 0))[0] != beat else self._seen[key]
            for key, beat in beats.items()
        }
        return [key for key, (_, since) in self._seen.items() if moment - since >= QUIET]

    def bury(self, key: int) -> bool:
        """Deletes a dead process's row. Of several processes that try, one gets True; none if it has beaten again."""
        beat, _ = self._seen.pop(key)
        return Process.objects.filter(pk=key, beat=beat).delete()[0] == 1

    def start(self, on_death: Callable[[], Awaitable[None]]) -> None:
        """Beats until `stop`. Awaits `on_death` when it has found another process dead."""
        self._task = asyncio.create_task(self._keep(on_death))

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def _keep(self, on_death: Callable[[], Awaitable[None]]) -> None:
        thread = OwnThread("lease")
        look = database_sync_to_async(self._beat_and_look, thread_sensitive=False, executor=thread)
        try:
            while True:
                await asyncio.sleep(INTERVAL)
                try:
                    if await look():
                        await on_death()
                except Exception as error:
                    # Without beats, others would take over what this process is still writing.
                    failures.note_failure(error)
                else:
                    failures.note_success()
        finally:
            thread.shutdown(wait=False)

    def _beat_and_look(self) -> bool:
        """Returns whether this process has found another one dead."""
        if not self.beat():
            logger.warning("Another process has taken this one for dead. What it was writing is lost to it.")
            self.take(is_alone=False)
        return any([self.bury(key) for key in self.find_dead()])


def is_in_use() -> bool:
    """Whether a process beats. Takes a few seconds to find out if there are rows of processes."""
    return bool(find_living())


def find_living() -> set[int]:
    """Returns the keys of the processes that beat. Takes a few seconds if there are rows of processes."""
    if Process._meta.db_table not in connection.introspection.table_names():
        return set()
    first = read_beats()
    if not first:
        return set()
    time.sleep(LATE)
    return {key for key, beat in read_beats().items() if first.get(key) != beat}


def read_beats() -> dict[int, int]:
    return dict(Process.objects.values_list("pk", "beat"))


local = Lease()
"""This process's lease."""


def is_abandoned() -> Q:
    """The condition for rows whose `process` has lost its work."""
    return Q(~Exists(Process.objects.filter(pk=OuterRef("process"))))
