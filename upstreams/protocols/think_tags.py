"""Thinking that a server left inside the text, as `<think>…</think>` at its start."""

from enum import Enum, auto
from typing import Final, Literal

type Piece = tuple[Literal["thinking", "text"], str]

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class _Place(Enum):
    START = auto()
    THINKING = auto()
    AFTER = auto()
    """Between the closing tag and the first character of the text."""
    TEXT = auto()


class ThinkTagSplitter:
    """Tells thinking from text in pieces of any length; a tag may be cut between two of them."""

    def __init__(self) -> None:
        self._place = _Place.START
        self._held = ""
        self._has_thought = False

    @property
    def passes_all(self) -> bool:
        """The text has begun: every further piece is text as it is."""
        return self._place is _Place.TEXT

    def give_up(self) -> list[Piece]:
        """No tag is to be expected any more; returns what was held back."""
        held, self._held = self._held, ""
        is_thinking = self._place is _Place.THINKING
        self._place = _Place.TEXT
        if not held or (is_thinking and held.isspace()):
            return []
        return [("thinking" if is_thinking else "text", held)]

    def feed(self, text: str) -> list[Piece]:
        text, self._held = self._held + text, ""
        match self._place:
            case _Place.START:
                return self._start(text)
            case _Place.THINKING:
                return self._thinking(text)
            case _Place.AFTER:
                return self._after(text)
        return [("text", text)] if text else []

    def _start(self, text: str) -> list[Piece]:
        visible = text.lstrip()
        if visible.startswith(_OPEN):
            self._place = _Place.THINKING
            return self._thinking(visible[len(_OPEN) :])
        if _OPEN.startswith(visible):
            self._held = text
            return []
        self._place = _Place.TEXT
        return [("text", text)]

    def _thinking(self, text: str) -> list[Piece]:
        if not self._has_thought:
            text = text.lstrip()
        thinking, tag, rest = text.partition(_CLOSE)
        if tag:
            self._place = _Place.AFTER
            thinking = thinking.rstrip()
            thought: list[Piece] = [("thinking", thinking)] if thinking else []
            return thought + self._after(rest)
        # White space at the end waits too: it may stand before the closing tag.
        kept = max((n for n in range(len(_CLOSE)) if text.endswith(_CLOSE[:n])), default=0)
        thinking = text[: len(text) - kept].rstrip()
        self._held = text[len(thinking) :]
        self._has_thought = self._has_thought or bool(thinking)
        return [("thinking", thinking)] if thinking else []

    def _after(self, text: str) -> list[Piece]:
        text = text.lstrip()
        if not text:
            return []
        self._place = _Place.TEXT
        return [("text", text)]
