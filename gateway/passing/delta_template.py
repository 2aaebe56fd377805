"""What the pieces of a streamed text have in common: nearly each differs from the one before in its words alone."""

import re
from typing import Final, Self

import orjson

_END: Final = b"\n\n"
# Within these quotes, a JSON string that means just what it says, and that ends no line.
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')


class Shape:
    """An event with a gap for its text, as it comes and as it is passed on."""

    def __init__(self, came: tuple[bytes, bytes], told: tuple[bytes, bytes]) -> None:
        (self._before, self._after), self._told = came, told
        self._start, self._size = len(self._before), len(self._before) + len(self._after)
        self._is_kept = came == told

    @classmethod
    def of(cls, came: bytes, told: bytes, text: str) -> Self | None:
        """That of a single event with this text; None when it cannot be told for sure."""
        gap = b'"%b"' % text.encode()
        if not came.endswith(_END) or came.count(_END) != 1 or b"\r" in came:
            return None
        if not text or orjson.dumps(text) != gap or came.count(gap) != 1 or told.count(gap) != 1:
            return None
        (before, after), (told_before, told_after) = came.split(gap), told.split(gap)
        return cls((before + b'"', b'"' + after), (told_before + b'"', b'"' + told_after))

    def passed(self, chunk: bytes) -> tuple[bytes, str] | None:
        """What is to be passed on of some whole events, and their text; None when any of them has another shape."""
        texts = [self._text(chunk)]
        if texts[0] is None and chunk.endswith(_END):
            texts = [self._text(event + _END) for event in chunk.removesuffix(_END).split(_END)]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return None
        if not self._is_kept:
            before, after = self._told
            chunk = b"".join([before + text + after for text in known])
        return chunk, b"".join(known).decode("utf-8", "replace")

    def _text(self, event: bytes) -> bytes | None:
        end = len(event) - len(self._after)
        if len(event) < self._size or not (event.startswith(self._before) and event.endswith(self._after)):
            return None
        return event[self._start : end] if _PLAIN.fullmatch(event, self._start, end) else None
