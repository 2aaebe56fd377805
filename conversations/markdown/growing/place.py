"""The place in a line of Markdown where the next character stands, and what comes surely means there."""

import re
from enum import Enum, auto
from typing import Final

PLAIN: Final = re.compile(
    r"[^\x00-\x1f#$&()*/<>\[\\\]_`{|}~\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
)
"""Characters that mean nothing in the middle of a line; of the spaces, only the one that all mean by it."""

_PIECE = re.compile(rf"{PLAIN.pattern}|\*\*?(?!\*)|`(?!`)|[()\[/#>{{}}|]")
_PIECE_OF_CODE = re.compile(r"[^`\t\n]+|`(?!`)")
_BEFORE_MARKS: Final = " (|"

type Step = tuple[str, str]
"""What changes on the page: a `text` is added, the element of a mark `opens` or `closes`, the next `cell` begins."""


class Joint(Enum):
    """What the next character is joined to."""

    PLAIN = auto()
    OPENING = auto()
    """A mark that opens an element."""
    CLOSING = auto()
    """A mark that closed one."""
    OTHER = auto()
    """A word with a mark in it, whose meaning its next letter may change: an address, an entity, a bracket."""


class Place:
    """What stands before the next character: the marks that are open, and in a table's row the number of the cell.

    Settled is a block in which no mark waits for another to get its meaning.
    """

    __slots__ = ("before", "cell", "cells", "is_heading", "is_settled", "joint", "marks")

    def __init__(
        self, before: str, joint: Joint, marks: tuple[str, ...], cell: int, cells: int, *, is_heading: bool
    ) -> None:
        self.before, self.joint, self.marks = before, joint, marks
        self.cell, self.cells = cell, cells
        self.is_heading, self.is_settled = is_heading, False

    def copy(self) -> "Place":
        place = Place(self.before, self.joint, self.marks, self.cell, self.cells, is_heading=self.is_heading)
        place.is_settled = self.is_settled
        return place

    @property
    def takes_plain(self) -> bool:
        """Whether any plain text can be added as it is."""
        return self.joint is Joint.PLAIN and (not self.cells or (self.cell <= self.cells and self.before != "|"))

    @property
    def is_at_start_of_cell(self) -> bool:
        return self.cells > 0 and self.before == "|"

    @property
    def is_in_code(self) -> bool:
        return self.marks[-1:] == ("`",)

    def read(self, text: str) -> tuple[list[Step], str] | None:
        """Goes on behind a text; returns what it changes, and its end that waits for more. None if it may mean more."""
        steps: list[Step] = []
        at, before = 0, self.before
        while at < len(text):
            piece = (_PIECE_OF_CODE if self.is_in_code else _PIECE).match(text, at)
            if not piece:
                return None
            after = text[piece.end() : piece.end() + 1]
            if not after and self._waits(piece[0]):
                break
            if not self._take(piece[0], after, steps):
                return None
            at = piece.end()
        if steps and steps[-1][0] == "text":
            # Markdown drops spaces at the end of a line, so they wait for what follows.
            shown = steps.pop()[1].rstrip(" ")
            if shown:
                steps.append(("text", shown))
            at -= len(text[:at]) - len(text[:at].rstrip(" "))
            self.before = text[at - 1] if at else before
        return steps, text[at:]

    def _waits(self, piece: str) -> bool:
        """Whether a piece at the end of a text gets its meaning from what comes next."""
        if self.is_in_code or piece not in ("*", "**", "`", "["):
            return False
        closes = self.marks[-1:] in ((piece,), ("**",)) and piece in ("*", "**") and self.before != " "
        opens = self.before in _BEFORE_MARKS and (piece in ("[", "`") or not self.marks)
        return self.is_settled and (closes or opens)

    def _take(self, piece: str, after: str, steps: list[Step]) -> bool:
        if self.is_in_code and piece != "`":
            return self._take_code(piece, steps)
        if piece in ("*", "**", "`"):
            return self._take_mark(piece, after, steps)
        if piece == "|":
            return self._take_bar(steps)
        if piece in "()[/#>{}":
            return self._take_sign(piece, after, steps)
        return self._take_plain(piece, after, steps)

    def _take_code(self, text: str, steps: list[Step]) -> bool:
        if self.cells and "|" in text:
            return False
        self.before, self.joint = text[-1], Joint.PLAIN
        steps.append(("text", text))
        return True

    def _joins(self, first: str) -> bool:
        """Whether a plain character leaves what stands directly before it what it is."""
        match self.joint:
            case Joint.PLAIN:
                return True
            case Joint.OPENING:
                return first.isalnum()
            case Joint.CLOSING:
                return first in " ,.;:!?"
            case Joint.OTHER:
                return first == " "

    def _take_plain(self, text: str, after: str, steps: list[Step]) -> bool:
        if self.is_at_start_of_cell:
            text = text.lstrip(" ")
            if not text:
                return True
        if self.cell > self.cells or not self._joins(text[0]):
            return False
        if self.joint is not Joint.PLAIN:
            self.joint = Joint.PLAIN if " " in text or self.joint is Joint.OPENING else Joint.OTHER
        self.before = text[-1]
        if after == "|" and self.cells:
            text = text.rstrip(" ")
        if text:
            steps.append(("text", text))
        return True

    def _take_sign(self, sign: str, after: str, steps: list[Step]) -> bool:
        """A character that has a meaning only where it would be one of a pair, or is doubled."""
        joins = self.joint is Joint.PLAIN or (self.joint is Joint.CLOSING and sign == ")")
        if not self.is_settled or self.cell > self.cells or not joins:
            return False
        if sign == "/" and (self.before in ":/" or after == "/"):
            return False
        if sign == "#" and self.is_heading:
            return False
        if sign == "[":
            if self.before not in _BEFORE_MARKS or not after.isalnum():
                return False
            self.is_settled = False
        self.before = sign
        if self.joint is Joint.CLOSING:
            self.joint = Joint.OTHER
        steps.append(("text", sign))
        return True

    def _take_mark(self, mark: str, after: str, steps: list[Step]) -> bool:
        if not self.is_settled or self.cell > self.cells:
            return False
        if self.marks[-1:] == (mark,):
            if self.before == " " or self.joint is Joint.OPENING:
                return False
            self.marks, self.joint = self.marks[:-1], Joint.CLOSING
            steps.append(("close", mark))
        else:
            opens = after not in " |" if mark == "`" else after.isalnum() and not self.marks
            if self.before not in _BEFORE_MARKS or not opens:
                return False
            self.marks, self.joint = (*self.marks, mark), Joint.OPENING
            steps.append(("open", mark))
        self.before = mark[-1]
        return True

    def _take_bar(self, steps: list[Step]) -> bool:
        if self.cell > self.cells or not self.cells or self.marks:
            return False
        self.cell += 1
        self.before, self.joint, self.is_settled = "|", Joint.PLAIN, True
        if self.cell <= self.cells:
            steps.append(("cell", str(self.cell)))
        return True
