"""Writes each event as one line of text, or as one line of JSON."""

import json
import logging
from datetime import UTC, datetime
from typing import Final, override

from chatsite.logs.exceptions import name_exception, render_traceback
from chatsite.logs.request_ids import find_request_id
from chatsite.logs.text import escape_unprintable, make_first_line_safe, make_safe

LONGEST_MESSAGE: Final = 4_000
"""Characters of a message."""
_TRACEBACK: Final = "chatsite_traceback"


def read_message(record: logging.LogRecord) -> str:
    try:
        message = record.getMessage()
    except Exception:
        message = f"A message of {record.pathname}:{record.lineno} ({record.funcName}) does not fit its arguments"
    # Some libraries put the exception, or its repr, into the message.
    make = make_first_line_safe if record.exc_info else make_safe
    return make(message, LONGEST_MESSAGE)


def read_exception(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def read_traceback(record: logging.LogRecord) -> str:
    """Returns "" without an exception. Keeps the text with the record, for the next handler."""
    found: str | None = record.__dict__.get(_TRACEBACK)
    if found is None:
        error = read_exception(record)
        found = record.__dict__[_TRACEBACK] = render_traceback(error) if error else record.stack_info or ""
    return found


class LineFormatter(logging.Formatter):
    """A traceback follows in further lines. These are indented, so that nothing can pass for another event."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        id = find_request_id(record)
        where = f"{record.name} [{id}]" if id else record.name
        line = f"{self.formatTime(record)} {record.levelname} {where}: {escape_unprintable(read_message(record))}"
        trace = read_traceback(record).split("\n") if record.exc_info or record.stack_info else []
        return "\n".join([line, *(f"    {escape_unprintable(each)}" for each in trace)])


class JsonFormatter(logging.Formatter):
    """Escapes all but ASCII, because the log may be in any encoding."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, str | None] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="microseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": find_request_id(record) or None,
            "message": read_message(record),
        }
        if error := read_exception(record):
            event["exception"] = name_exception(error)
        if trace := read_traceback(record):
            event["traceback"] = trace
        return json.dumps(event)
