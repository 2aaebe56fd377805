"""Reduces the text of a reply to the JSON object in it, for clients that have asked for nothing else."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEnded, ReplyEvent, TextWasThinking
from upstreams.wire.nesting import PartialValue

_BEGINNING: Final = re.compile(r'(?:\[\s*)*\{\s*["}]')
"""An object, or an array of objects, which is not what was asked for but must not lose its others."""


class JsonObjectText:
    """Models write remarks and code fences around an object in spite of the instruction not to.

    Holds text back until the object begins, and drops what follows its end. Text without an object stays as it is.
    """

    def __init__(self) -> None:
        self._is_in_text = True
        self._held = ""
        self._value: PartialValue | None = None
        """None until the object begins."""

    def translate(self, events: Sequence[ReplyEvent]) -> Sequence[ReplyEvent]:
        return [translated for event in events for translated in self._event(event)]

    def _event(self, event: ReplyEvent) -> Iterator[ReplyEvent]:
        match event:
            case BlockOpened(block):
                self._is_in_text = block.get("type") == "text"
                text = block.get("text") if self._is_in_text else None
                yield BlockOpened({**block, "text": ""}) if text else event
                if isinstance(text, str):
                    yield from self._grow(text)
            case BlockGrew(text) if self._is_in_text:
                yield from self._grow(text)
            case BlockClosed() | ReplyEnded():
                yield from self._release()
                self._is_in_text = True
                yield event
            case TextWasThinking():
                self._held, self._value = "", None
                yield event
            case _:
                yield event

    def _grow(self, text: str) -> Iterator[ReplyEvent]:
        if self._value is None:
            self._held += text
            if not (found := _BEGINNING.search(self._held)):
                return
            text, self._held, self._value = self._held[found.start() :], "", PartialValue()
        elif self._value.is_complete:
            return
        if inner := text[: self._value.find_end(text)]:
            yield BlockGrew(inner)

    def _release(self) -> Iterator[ReplyEvent]:
        held, self._held = self._held, ""
        if held and self._is_in_text:
            yield BlockGrew(held)
