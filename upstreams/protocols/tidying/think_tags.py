"""Finds thinking that a server leaves in the text, in the spellings that models use."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Literal

from upstreams.protocols.tidying import spellings

type Kind = Literal["thinking", "text"]
type Piece = tuple[Kind, str]


class _Position(Enum):
    START = auto()
    THINKING = auto()
    AFTER = auto()
    """Between the closing tag and the first character of the text."""
    WATCHING = auto()
    """In text that turns out to be thinking if a closing tag follows."""
    BARE_CHANNEL = auto()
    """In text that turns out to be a harmony message without its tags if another message follows."""
    HEADER = auto()
    """In the header of a harmony message."""
    MESSAGE = auto()
    """In the content of a harmony message."""
    TEXT = auto()


class ThinkTagSplitter:
    """Splits text from thinking in pieces of any length. A tag may be cut in two.

    An empty piece of thinking says that all text so far was thinking, except `prefix`.
    """

    def __init__(self) -> None:
        self._position = _Position.START
        self._held = ""
        self._has_thought = False
        self._close = ""
        self._kind: Kind = "text"
        self._is_in_code = self._has_opening = False
        """`_has_opening` says that the text itself has had an opening tag: it is about tags, or shows them in code."""
        self._last = "\n"
        """The end of the text so far."""
        self.prefix = ""
        """The beginning of the text that is neither thinking nor text."""
        self._before = self._after_it = ""
        """The tags and the white space around the thinking."""
        self._has_closing_tag = False
        self._sections = 0
        self._is_unopened = False
        """Whether the text so far was thinking, which no piece has said yet."""
        self._has_channel_line = False
        """Whether the name of a harmony channel without tags is on a line of its own."""

    @property
    def tags(self) -> tuple[str, str] | None:
        """The text before and after the thinking. None if the thinking cannot be put back between them.

        That is so if it is not complete, if there are two thoughts, and in the harmony format, whose tags servers
        refuse.
        """
        return (self._before, self._after_it) if self._has_closing_tag and self._sections == 1 else None

    def passes(self, text: str) -> bool:
        """Takes note of a piece that is plain text. Returns False if the piece must be fed instead."""
        if self._position is _Position.TEXT:
            return True
        if self._position is not _Position.WATCHING or self._held or spellings.MARKS.search(text):
            return False
        self._note(text)
        return True

    def give_up(self) -> list[Piece]:
        """Stops looking for tags. Returns the text that was held back."""
        if self._position is _Position.BARE_CHANNEL:
            held, self._held = self._held, ""
            pieces = self._read_bare_channel(held, is_last=True)
            if self._position is _Position.BARE_CHANNEL:
                self._position = _Position.TEXT
            return pieces + self.give_up()
        held, self._held = self._held, ""
        position, self._position = self._position, _Position.TEXT
        is_closing_tag = position is _Position.WATCHING and held.lower() in spellings.UNOPENED
        if is_closing_tag and self._can_close(held.lower(), after=None):
            self._close_unopened(held)
            return self._end_unopened()
        if position is _Position.AFTER:
            return self._end_unopened() + ([("text", held)] if held else [])
        is_thinking = position is _Position.THINKING or (position is _Position.MESSAGE and self._kind == "thinking")
        if not held or (is_thinking and held.isspace()) or (position is _Position.HEADER and self._has_thought):
            return []
        return [("thinking" if is_thinking else "text", held)]

    def feed(self, text: str) -> list[Piece]:
        text, self._held = self._held + text, ""
        match self._position:
            case _Position.START:
                return self._read_start(text)
            case _Position.THINKING:
                return self._read_thinking(text)
            case _Position.AFTER:
                return self._read_after(text)
            case _Position.WATCHING:
                return self._watch(text)
            case _Position.BARE_CHANNEL:
                return self._read_bare_channel(text)
            case _Position.HEADER:
                return self._read_header(text)
            case _Position.MESSAGE:
                return self._read_message(text)
        return [("text", text)] if text else []

    def _read_start(self, text: str) -> list[Piece]:
        visible = text.lstrip()
        lower = visible.lower()
        for opening, closing in spellings.PAIRS.items():
            if lower.startswith(opening):
                self._position, self._close = _Position.THINKING, closing
                self._sections += 1
                self._has_thought = False
                self._before = text[: len(text) - len(visible) + len(opening)]
                return self._read_thinking(visible[len(opening) :])
        if any(lower.startswith(header) for header in (*spellings.HEADERS, *spellings.BARE_HEADERS)):
            self._position = _Position.HEADER
            return self._read_header(visible)
        if closing := next((closing for closing in spellings.UNOPENED if lower.startswith(closing)), ""):
            self._position = _Position.AFTER
            return self._read_after(visible[len(closing) :])
        is_tag_possible = any(
            tag.startswith(lower)
            for tag in (*spellings.PAIRS, *spellings.HEADERS, *spellings.BARE_HEADERS, *spellings.UNOPENED)
        )
        if is_tag_possible or spellings.MAYBE_BARE_CHANNEL.fullmatch(visible):
            self._held = text
            return []
        if name := spellings.BARE_CHANNEL.match(visible):
            self._position, self._has_channel_line = _Position.BARE_CHANNEL, bool(name[1])
            self.prefix = text[: len(text) - len(visible)] + spellings.CHANNEL
            return self._read_bare_channel(text)
        self._position = _Position.WATCHING
        return self._watch(text)

    def _read_thinking(self, text: str) -> list[Piece]:
        if not self._has_thought:
            self._before, text = _move_space(self._before, text)
        at = text.lower().find(self._close)
        if at >= 0:
            self._position = _Position.AFTER
            thinking, end = text[:at].rstrip(), at + len(self._close)
            self._after_it, self._has_closing_tag = text[len(thinking) : end], True
            thought: list[Piece] = [("thinking", thinking)] if thinking else []
            return thought + self._read_after(text[end:])
        # White space at the end waits too: it may precede the closing tag.
        thinking = text[: len(text) - _partial_tag(text, (self._close,))].rstrip()
        self._held = text[len(thinking) :]
        self._has_thought = self._has_thought or bool(thinking)
        return [("thinking", thinking)] if thinking else []

    def _read_after(self, text: str) -> list[Piece]:
        self._after_it, text = _move_space(self._after_it, text)
        if not text:
            return []
        if any(tag.startswith(text.lower()) for tag in (*spellings.WRAPPERS, *spellings.PAIRS)):
            self._held = text
            return []
        if any(text.lower().startswith(opening) for opening in spellings.PAIRS):
            return [*self._end_unopened(), *self._read_start(text)]
        for wrapper in spellings.WRAPPERS:
            if text.startswith(wrapper):
                self._after_it, text = _move_space(self._after_it + wrapper, text.removeprefix(wrapper))
        if not text:
            return []
        self._position = _Position.TEXT
        return [*self._end_unopened(), ("text", text)]

    def _close_unopened(self, tag: str) -> None:
        self._position, self._is_unopened = _Position.AFTER, True
        self._sections += 1
        self._after_it, self._has_closing_tag = tag, tag.lower() in spellings.PAIRS.values()

    def _end_unopened(self) -> list[Piece]:
        is_unopened, self._is_unopened = self._is_unopened, False
        return [("thinking", "")] if is_unopened else []

    def _watch(self, text: str) -> list[Piece]:
        """Looks for a closing tag. It is held until the next character says whether it is one."""
        lower, begin = text.lower(), 0
        while found := min(
            ((at, tag) for tag in spellings.UNOPENED if (at := lower.find(tag, begin)) >= 0), default=None
        ):
            at, tag = found
            after = text[at + len(tag) : at + len(tag) + 1]
            self._note(text[begin:at])
            if not after:
                self._held = text[at:]
                return [("text", text[:at])] if at else []
            if self._can_close(tag, after):
                self._close_unopened(text[at : at + len(tag)])
                before: list[Piece] = [("text", text[:at])] if at else []
                return [*before, *self._read_after(text[at + len(tag) :])]
            begin = at + len(tag)
            self._note(tag)
        kept = len(text) - _partial_tag(text, spellings.UNOPENED)
        self._note(text[begin:kept])
        self._held = text[kept:]
        return [("text", text[:kept])] if kept else []

    def _can_close(self, tag: str, after: str | None) -> bool:
        """Whether a closing tag before the character `after` ends thinking. Text about tags has them within a line.

        `after` is None at the end of a reply, which nothing tells from the end of a sentence about the tag.
        """
        last = self._last[-1:]
        if tag == spellings.END_OF_ANALYSIS:
            return not self._is_in_code
        if self._is_in_code or self._has_opening:
            return False
        if after in ("\n", "\r") or last in spellings.SENTENCE_ENDS[1:]:
            return True
        if after == " ":
            return self._last.rstrip()[-1:] in spellings.SENTENCE_ENDS[1:] and last == "\n"
        # An answer begins in the middle of a line.
        is_between_words = last.isalnum() and after is not None and after.isalpha() and not after.islower()
        return last == "\n" or is_between_words

    def _read_bare_channel(self, text: str, *, is_last: bool = False) -> list[Piece]:
        """Looks for the message that follows. The end of the text waits, since it may begin there."""
        begin = 0
        while found := spellings.BARE_CHANNEL_END.search(text, begin):
            start, end = found.span()
            after = text[end : end + 1]
            if not after and not is_last:
                break
            self._note(text[begin:start])
            if self._ends_channel(found[0], after):
                before: list[Piece] = [("text", text[:start])] if start else []
                self._close_unopened(found[0])
                if not found[0].startswith("<"):
                    return before + self._read_after(text[end:])
                self._position, self._has_thought = _Position.HEADER, True
                rest = text[start:] if found[0] in spellings.HEADERS else text[end:]
                return [*before, *self._end_unopened(), *self._read_header(rest)]
            self._note(found[0])
            begin = end
        kept = len(text) if is_last else max(begin, len(text) - spellings.LONGEST_CHANNEL_END)
        self._note(text[begin:kept])
        self._held = text[kept:]
        return [("text", text[:kept])] if kept else []

    def _ends_channel(self, found: str, after: str) -> bool:
        """Whether the answer begins behind `found`, and before the character `after`."""
        last = self._last[-1:]
        if self._is_in_code:
            return False
        if not found.startswith("assistant"):
            return self._has_channel_line or found.startswith("<")
        # Within a line, the removed tags leave no space between the words.
        return last in spellings.SENTENCE_ENDS or (not last.isspace() and after.isalpha() and not after.islower())

    def _note(self, text: str) -> None:
        # Code spans and fences begin and end with the same number of these, so an odd number means an open one.
        self._is_in_code ^= bool(text.count("`") % 2)
        seen = self._last + text
        self._has_opening = self._has_opening or bool(spellings.OPENING.search(seen))
        self._last = seen[-spellings.LONGEST_OPENING :]

    def _read_header(self, text: str) -> list[Piece]:
        header, tag, content = text.partition(spellings.MESSAGE)
        if tag:
            is_shown = "final" in header or ("commentary" in header and " to=" not in header)
            self._kind = "text" if is_shown else "thinking"
            self._position, self._has_thought = _Position.MESSAGE, True
            return self._read_message(content)
        if len(text) > spellings.LONGEST_HEADER:
            self._position = _Position.TEXT
            return [("text", text)]
        self._held = text
        return []

    def _read_message(self, text: str) -> list[Piece]:
        if found := min(((at, tag) for tag in spellings.ENDS if (at := text.find(tag)) >= 0), default=None):
            at, tag = found
            self._position = _Position.HEADER
            content: list[Piece] = [(self._kind, text[:at])] if at else []
            rest = text[at:] if tag in spellings.HEADERS else text[at + len(tag) :]
            return content + self._read_header(rest)
        kept = len(text) - _partial_tag(text, spellings.ENDS)
        self._held = text[kept:]
        return [(self._kind, text[:kept])] if kept else []


def _move_space(before: str, text: str) -> tuple[str, str]:
    """Moves the white space at the beginning of the text to the end of what is before it."""
    rest = text.lstrip()
    return before + text[: len(text) - len(rest)], rest


def _partial_tag(text: str, tags: Iterable[str]) -> int:
    """The length of the longest beginning of a tag that `text` ends with."""
    end = text[-len(spellings.END_OF_ANALYSIS) :].lower()
    return max((n for tag in tags for n in range(1, len(tag)) if end.endswith(tag[:n])), default=0)
