"""Decodes server-sent events as in the WHATWG standard (HTML, 9.2.6)."""

from collections.abc import Iterator
from typing import NamedTuple

MAX_EVENT_BYTES = 4 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")


def begins_with_events(head: bytes) -> bool | None:
    """Whether a body that begins like this is a stream of events. None if that is not certain yet."""
    head = head.removeprefix(_BOM).lstrip()
    if head.startswith(_FIELDS):
        return True
    return None if any(field.startswith(head) for field in _FIELDS) else False


class ServerSentEvent(NamedTuple):
    """One event. There is one for each token, and a frozen dataclass costs four times as much as a named tuple."""

    type: str
    data: str
    id: str = ""


class EventTooLarge(ValueError):
    """A line or the data of one event exceeded the limit."""


class SSEDecoder:
    """Splits a stream into events, which do not depend on how the stream is cut into chunks.

    Lines are split as bytes and then decoded: CR and LF cannot occur inside a UTF-8 sequence, while `str.splitlines`
    also splits at U+2028, which a JSON string may contain unescaped. Beyond the standard, a bare line `error: {…}`,
    which some servers write into a failing stream, is an event of type "error".
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.retry: int | None = None
        """Milliseconds that the server asked clients to wait before they reconnect."""
        self._limit = max_event_bytes
        self._unfinished: list[bytes] = []
        self._unfinished_size = 0
        self._at_start = True
        self._after_cr = False
        self._type = ""
        self._data: list[bytes] = []
        self._data_size = 0
        self._id = ""

    @property
    def is_between_events(self) -> bool:
        """Whether the last byte completed an event, so that the next one begins another."""
        return not (self._unfinished or self._data or self._type or self._after_cr or self._at_start)

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that `chunk` completes. Exhaust the iterator before you feed the next chunk."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            # If a CRLF is cut in two, its CR ends the line at once and its LF is skipped later.
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            self._keep(chunk)
            return
        if self._unfinished:
            self._unfinished.append(chunk)
            chunk = b"".join(self._unfinished)
        if self._at_start:
            self._at_start = False
            chunk = chunk.removeprefix(_BOM)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        self._unfinished, self._unfinished_size = [], 0
        for line in lines:
            if not line:
                if self._data:
                    yield self._dispatch()
                self._type = ""
            elif line[:6] == b"data: ":
                self._add_data(line[6:])
            elif line[:8] == b"error: {":
                self._check(line)
                yield ServerSentEvent("error", line[7:].decode("utf-8", "replace"), self._id)
            else:
                self._set_field(line)
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._unfinished.append(piece)
            self._unfinished_size += len(piece)
            if self._unfinished_size > self._limit:
                raise EventTooLarge("event too large")

    def _dispatch(self) -> ServerSentEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data, self._data_size = [], 0
        return ServerSentEvent(self._type or "message", data.decode("utf-8", "replace"), self._id)

    def _check(self, line: bytes) -> None:
        if len(line) > self._limit:
            raise EventTooLarge("event too large")

    def _add_data(self, value: bytes) -> None:
        self._data.append(value)
        self._data_size += len(value) + 6
        if self._data_size > self._limit:
            raise EventTooLarge("event too large")

    def _set_field(self, line: bytes) -> None:
        self._check(line)
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        match name:
            case b"event":
                self._type = value.decode("utf-8", "replace")
            case b"data":
                self._add_data(value)
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 16:
                self.retry = int(value)
