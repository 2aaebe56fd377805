"""SQLite, with one queue for all writers of the process.

SQLite allows one writer at a time. Its own waiting is polling with growing pauses: newcomers overtake those who have
waited long, so in a crowd some wait until their time is up ("database is locked"). Here a thread begins to write when
all threads that came before it have finished, and only the first one waits for other processes.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any, Final

from django.db.backends.sqlite3 import base

from chatsite.process.threads import give_up_slot
from chatsite.sqlite.fair_lock import FairLock
from chatsite.values.folding import fold, fold_json

LONGEST_QUEUE: Final = 30.0
"""Seconds that a writer waits for the writers before it."""
LONG_WAIT: Final = 0.25
"""Seconds after which a waiting writer lets other requests run: another process probably locks the database."""
LEAST_PATIENCE: Final = 1
"""Seconds that a writer waits for another process, even if it has spent all its time in the queue."""
_READING: Final = ("SELECT", "PRAGMA", "EXPLAI")

CONVERTED: Final = 256
"""Statements whose SQL for SQLite is remembered. To convert a long one takes about as long as to run it."""

_queues: defaultdict[str, FairLock] = defaultdict(FairLock)
"""By database."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Has its turn from the first statement of a transaction that writes until the transaction ends."""

    _is_writing = False
    _patience = -1
    """The whole seconds that SQLite waits for another process, as set last; negative if unknown."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._queue = _queues[str(self.settings_dict["NAME"])]
        self._longest_patience = math.ceil(conn_params.get("timeout", 5))
        self._patience = -1
        connection = super().get_new_connection(conn_params)
        for function in (fold, fold_json):
            connection.create_function(function.__name__, 1, partial(_unless_null, function), deterministic=True)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=lambda connection: Cursor(connection, self))

    def begin_writing(self) -> None:
        """Waits for the turn of this thread. Raises sqlite3.OperationalError when that takes too long."""
        if self._is_writing:
            return
        asked = time.monotonic()
        if not self._queue.acquire(LONGEST_QUEUE, give_up_slot, LONG_WAIT):
            raise self.Database.OperationalError("database is locked: too many writers wait")
        self._is_writing = True
        self._wait_at_most(max(LEAST_PATIENCE, self._longest_patience - int(time.monotonic() - asked)))

    def end_writing(self) -> None:
        """Ends the turn, unless a transaction is open."""
        if self._is_writing and not (self.connection and self.connection.in_transaction):
            self._is_writing = False
            self._queue.release()

    def _wait_at_most(self, seconds: int) -> None:
        if seconds != self._patience:
            self.connection.execute(f"PRAGMA busy_timeout = {seconds * 1000}")
            self._patience = seconds

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self.end_writing()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self.end_writing()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            if self._is_writing:
                self._is_writing = False
                self._queue.release()


def _unless_null(function: Callable[[str], str], text: str | None) -> str | None:
    return None if text is None else function(text)


_wrapper: Any = base.SQLiteCursorWrapper
_convert: Final = lru_cache(CONVERTED)(partial(_wrapper.convert_query, None))


class Cursor(base.SQLiteCursorWrapper):
    def __init__(self, connection: Any, database: DatabaseWrapper) -> None:
        super().__init__(connection)
        self._database = database

    def execute(self, query: str, params: Any = None) -> Any:
        if self.connection.in_transaction or query.lstrip()[:6].upper() in _READING:
            return super().execute(query, params)
        self._database.begin_writing()
        try:
            return super().execute(query, params)
        finally:
            self._database.end_writing()

    def executemany(self, query: str, param_list: Any) -> Any:
        if self.connection.in_transaction:
            return super().executemany(query, param_list)
        self._database.begin_writing()
        try:
            return super().executemany(query, param_list)
        finally:
            self._database.end_writing()

    def convert_query(self, query: str, *, param_names: Iterable[str] | None = None) -> str:
        converted: str = _convert(query, param_names=None if param_names is None else tuple(param_names))
        return converted
