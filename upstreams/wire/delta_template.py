"""Reads streamed text without decoding each event: nearly all of them differ only in their text."""

import re
from typing import Final, Self

import orjson

_END: Final = b"\n\n"
# The characters of a JSON string that need no escape.
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')


class DeltaTemplate:
    """The bytes of an event before and after its text, as it arrives and as it is copied."""

    def __init__(self, arrives: tuple[bytes, bytes], copied: tuple[bytes, bytes]) -> None:
        (self._before, self._after), self._copied = arrives, copied
        self._between, self._size = self._after + self._before, len(self._before) + len(self._after)
        self._is_copied_unchanged = arrives == copied

    @classmethod
    def of(cls, chunk: bytes, text: str, copy: bytes | None = None) -> Self | None:
        """Makes the template of the last event in `chunk`, which has this text; None if its position is uncertain.

        `copy` replaces the event for readers. By default, they get the event itself.
        """
        event = chunk[:-2].rpartition(_END)[2] + chunk[-2:]
        copy = event if copy is None else copy
        quoted = b'"%b"' % text.encode()
        if not event.endswith(_END) or event.count(_END) != 1 or b"\r" in event or not text:
            return None
        if _PLAIN.fullmatch(quoted, 1, len(quoted) - 1) is None or event.count(quoted) != 1 or copy.count(quoted) != 1:
            return None
        (before, after), (copied_before, copied_after) = event.split(quoted), copy.split(quoted)
        return cls((before + b'"', b'"' + after), (copied_before + b'"', b'"' + copied_after))

    def read(self, chunk: bytes) -> tuple[str, bytes] | None:
        """Returns the text of some whole events and their copy. Returns None if any of them does not fit."""
        if len(chunk) < self._size or not (chunk.startswith(self._before) and chunk.endswith(self._after)):
            return None
        written = chunk[len(self._before) : len(chunk) - len(self._after)].split(self._between)
        try:
            # A field beside the text would leave quotes in a piece, and the list would not have as many strings.
            texts = orjson.loads(b'["%b"]' % b'","'.join(written))
        except orjson.JSONDecodeError:
            return None
        if len(texts) != len(written):
            return None
        if not self._is_copied_unchanged:
            before, after = self._copied
            chunk = b"".join([before + text + after for text in written])
        return "".join(texts), chunk
