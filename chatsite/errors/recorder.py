"""Counts errors in memory as they are logged, in any thread, until they are saved."""

import logging
import re
import traceback
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, override

from prometheus_client import Counter

from chatsite.logs.exceptions import describe_exception, name_exception
from chatsite.logs.formats import read_exception, read_message, read_traceback
from chatsite.logs.request_ids import find_request_id
from chatsite.logs.text import escape_unprintable, make_safe

LOGGED: Final = Counter("chatsite_errors", "Events that this process has logged as errors.")
MOST_UNSAVED: Final = 100
"""Groups in memory. The errors of further ones are counted together, in one group."""
MOST_REFERENCES: Final = 50
"""The latest request ids that a group keeps."""
LONGEST_TITLE: Final = 500
"""Characters of a group's message."""
ROOT: Final = Path(__file__).resolve().parents[2]
PLUMBING: Final = (
    *("chatsite/process/threads.py", "chatsite/serving/pages.py", "chatsite/sqlite/"),
    *("django/db/", "psycopg", "asgiref/"),
)
"""Code that most errors pass through."""
INSTALLED: Final = "site-packages"
OTHERS: Final = "others"
"""The fingerprint of errors that were too different to keep apart."""
OTHERS_MESSAGE: Final = "There were too many different errors to keep apart. The log has them."
_VARIABLE: Final = re.compile(r"0x[0-9a-fA-F]+|\d+")


@dataclass(slots=True)
class Sighting:
    """Errors of one group that have not been saved. Texts are those of the first one."""

    fingerprint: str
    logger: str
    exception: str
    """The name of its type, or ""."""
    place: str
    """Where in the code: a file and a function."""
    message: str
    description: str = ""
    """The type and the message of the exception, or ""."""
    traceback: str = ""
    first_at: datetime = datetime.max.replace(tzinfo=UTC)
    last_at: datetime = datetime.min.replace(tzinfo=UTC)
    count: int = 0
    references: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_REFERENCES))
    """The latest request ids, without repetitions, the oldest first."""

    def add(self, count: int, first_at: datetime, last_at: datetime, references: deque[str]) -> None:
        self.count += count
        self.first_at, self.last_at = min(self.first_at, first_at), max(self.last_at, last_at)
        self.references.extend(each for each in references if each not in self.references)


class ErrorRecorder(logging.Handler):
    """Records each event in microseconds, and does no I/O. What it holds is bounded."""

    def __init__(self) -> None:
        super().__init__()
        self._unsaved: dict[str, Sighting] = {}

    @override
    def emit(self, record: logging.LogRecord) -> None:
        # Nothing is worse than a log that fails.
        try:
            LOGGED.inc()
            moment, id = datetime.fromtimestamp(record.created, UTC), find_request_id(record)
            sighting = self._find_sighting(record)
            sighting.add(1, moment, moment, deque([id] if id else []))
        except Exception:
            self.handleError(record)

    def take(self) -> list[Sighting]:
        """Returns what has been recorded, and forgets it."""
        assert self.lock
        with self.lock:
            taken, self._unsaved = self._unsaved, {}
        return list(taken.values())

    def give_back(self, sightings: list[Sighting]) -> None:
        """Records again what could not be saved."""
        assert self.lock
        with self.lock:
            for each in sightings:
                if each.fingerprint not in self._unsaved and len(self._unsaved) < MOST_UNSAVED:
                    self._unsaved[each.fingerprint] = each
                else:
                    kept = self._unsaved.get(each.fingerprint) or self._get_others()
                    kept.add(each.count, each.first_at, each.last_at, each.references)

    def _find_sighting(self, record: logging.LogRecord) -> Sighting:
        error = read_exception(record)
        exception, place = name_exception(error) if error else "", find_place(record)
        fingerprint = make_fingerprint(exception, place, record)
        if sighting := self._unsaved.get(fingerprint):
            return sighting
        if len(self._unsaved) >= MOST_UNSAVED:
            return self._get_others()
        sighting = self._unsaved[fingerprint] = Sighting(
            fingerprint=fingerprint,
            logger=record.name[:LONGEST_TITLE],
            exception=exception[:LONGEST_TITLE],
            place=place[:LONGEST_TITLE],
            message=escape_unprintable(make_safe(read_message(record), LONGEST_TITLE)),
            description=escape_unprintable(describe_exception(error)) if error else "",
            traceback="\n".join(map(escape_unprintable, read_traceback(record).split("\n"))),
        )
        return sighting

    def _get_others(self) -> Sighting:
        return self._unsaved.setdefault(OTHERS, Sighting(OTHERS, "", "", "", OTHERS_MESSAGE))


def find_place(record: logging.LogRecord) -> str:
    """Returns the innermost function in which the error happened: one of our own code if there is one."""
    error = read_exception(record)
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)] if error else []
    places = [(code.co_filename, code.co_qualname) for code in codes]
    telling = [place for place in places if not shorten_path(place[0]).startswith(PLUMBING)]
    own = [place for place in telling if INSTALLED not in place[0] and place[0].startswith(f"{ROOT}/")]
    file, function = (own or telling or places or [(record.pathname, record.funcName or "")])[-1]
    return f"{shorten_path(file)}, {function}"


def shorten_path(file: str) -> str:
    """Returns the path within the project or the library."""
    return file.rpartition(f"{INSTALLED}/")[2].removeprefix(f"{ROOT}/")


def make_fingerprint(exception: str, place: str, record: logging.LogRecord) -> str:
    """The same for errors with the same cause, also in other versions: it contains no line numbers and no values."""
    template = _VARIABLE.sub("#", next(iter(read_template(record).splitlines()), "")[:LONGEST_TITLE])
    parts = "\0".join((exception, place, record.name, template))
    return sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


def read_template(record: logging.LogRecord) -> str:
    """Returns the message without its arguments, or "" if it is an object that cannot be written as text."""
    try:
        return str(record.msg)
    except Exception:
        return ""


local = ErrorRecorder()
"""This process's recorder."""


def get_recorder() -> ErrorRecorder:
    """For the configuration of the log."""
    return local
