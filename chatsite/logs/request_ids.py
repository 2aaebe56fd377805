"""Names the request or the answer that an event of the log belongs to.

Threads and tasks inherit the id from the code that starts them.
"""

import logging
import re
from contextlib import suppress
from contextvars import ContextVar
from secrets import token_hex
from typing import Final

_ANSWER: Final = "answer-"
_ACCEPTABLE: Final = re.compile(rf"(?!{_ANSWER})[A-Za-z0-9][A-Za-z0-9._-]{{7,63}}", re.IGNORECASE)
_KEPT: Final = "_chatsite_request_id"
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def get_request_id() -> str:
    """Returns "" outside of requests and answers."""
    return _request_id.get()


def set_request_id(id: str) -> None:
    _request_id.set(id)


def keep_request_id(error: BaseException) -> None:
    """Keeps the current id with the exception, for a server that logs it somewhere else."""
    with suppress(AttributeError):
        setattr(error, _KEPT, get_request_id())


def find_request_id(record: logging.LogRecord) -> str:
    """Returns the id that an event belongs to. Call it where the event happens."""
    error = record.exc_info[1] if record.exc_info else None
    return get_request_id() or getattr(error, _KEPT, "")


def make_request_id() -> str:
    """For example req_8c1f…, with 16 random hexadecimal digits. SDKs expect this form."""
    return f"req_{token_hex(8)}"


def make_answer_id(generation_pk: int) -> str:
    """The same in every process that writes the answer."""
    return f"{_ANSWER}{generation_pk}"


def is_acceptable(id: str) -> bool:
    """Whether an id that a proxy has made is harmless in headers, logs and pages, and not that of an answer."""
    return bool(_ACCEPTABLE.fullmatch(id))
