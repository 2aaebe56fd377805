"""Finds thinking that a server leaves in the text, as `<think>…</think>` at its start."""

from enum import Enum, auto
from typing import Final, Literal

type Piece = tuple[Literal["thinking", "text"], str]

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class _Position(Enum):
    START = auto()
    THINKING = auto()
    AFTER = auto()
    """Between the closing tag and the first character of the text."""
    TEXT = auto()


class ThinkTagSplitter:
    """Splits text from thinking in pieces of any length. A tag may be cut in two."""

    def __init__(self) -> None:
        self._position = _Position.START
        self._held = ""
        self._has_thought = False

    @property
    def passes_all(self) -> bool:
        """Whether every further piece is plain text."""
        return self._position is _Position.TEXT

    def give_up(self) -> list[Piece]:
        """Stops looking for tags. Returns the text that was held back."""
        held, self._held = self._held, ""
        is_thinking = self._position is _Position.THINKING
        self._position = _Position.TEXT
        if not held or (is_thinking and held.isspace()):
            return []
        return [("thinking" if is_thinking else "text", held)]

    def feed(self, text: str) -> list[Piece]:
        text, self._held = self._held + text, ""
        match self._position:
            case _Position.START:
                return self._start(text)
            case _Position.THINKING:
                return self._thinking(text)
            case _Position.AFTER:
                return self._after(text)
        return [("text", text)] if text else []

    def _start(self, text: str) -> list[Piece]:
        visible = text.lstrip()
        if visible.startswith(_OPEN):
            self._position = _Position.THINKING
            return self._thinking(visible[len(_OPEN) :])
        if _OPEN.startswith(visible):
            self._held = text
            return []
        self._position = _Position.TEXT
        return [("text", text)]

    def _thinking(self, text: str) -> list[Piece]:
        if not self._has_thought:
            text = text.lstrip()
        thinking, tag, rest = text.partition(_CLOSE)
        if tag:
            self._position = _Position.AFTER
            thinking = thinking.rstrip()
            thought: list[Piece] = [("thinking", thinking)] if thinking else []
            return thought + self._after(rest)
        # White space at the end waits too: it may precede the closing tag.
        held = max((n for n in range(len(_CLOSE)) if text.endswith(_CLOSE[:n])), default=0)
        thinking = text[: len(text) - held].rstrip()
        self._held = text[len(thinking) :]
        self._has_thought = self._has_thought or bool(thinking)
        return [("thinking", thinking)] if thinking else []

    def _after(self, text: str) -> list[Piece]:
        text = text.lstrip()
        if not text:
            return []
        self._position = _Position.TEXT
        return [("text", text)]
