"""Scripts that are written without spaces between words, in which rules made for spaces do not work."""

import re
from typing import Final

from conversations.markdown.sanitise import SEPARATOR

LETTERS: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""For a set of a regular expression: Thai, Lao, Burmese, Khmer, Chinese, Japanese, and Korean, whose particles follow
a word without a space."""

PUNCTUATION: Final = "\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
"""For a set of a regular expression: the full-width marks of these scripts, and their quotation marks."""

_LETTER = re.compile(f"[{LETTERS}]")
_MARK = r"(?![*~`\\])[^\w\s]"
_MAY_FAIL = re.compile(rf"[{LETTERS}](?:\*+|~~)(?:{_MARK})|(?:{_MARK})(?:\*+|~~)[{LETTERS}]")
_PIECE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)|\\.|\||\*+|~~+")


def is_letter(character: str) -> bool:
    return _LETTER.match(character) is not None


def separate_emphasis(text: str) -> str:
    """Puts separators around emphasis that CommonMark does not see between punctuation and letters, as in **注：**本.

    It says that a mark between them can only open emphasis, or only close it, because a space is expected on one side.
    """
    if not _MAY_FAIL.search(text):
        return text
    return "".join(_separate(line) if _MAY_FAIL.search(line) else line for line in text.splitlines(keepends=True))


def _separate(line: str) -> str:
    places: list[int] = []
    openers: list[tuple[str, int]] = []
    for found in _PIECE.finditer(line):
        mark = found[0]
        if mark == "|":
            openers.clear()
        if mark[0] not in "*~":
            continue
        before, after = line[found.start() - 1 : found.start()], line[found.end() : found.end() + 1]
        opener = next((at for at in reversed(range(len(openers))) if openers[at][0] == mark), None)
        if opener is not None and _can_close(before, after):
            places += openers[opener][1], found.end()
            del openers[opener:]
        elif _can_close(after, before):
            openers.append((mark, found.start()))
    pieces, done = [], 0
    for place in sorted(places):
        pieces.append(line[done:place])
        done = place
    return SEPARATOR.join([*pieces, line[done:]])


def _can_close(inside: str, outside: str) -> bool:
    """Whether a mark with these characters at its sides can end emphasis, or begin it if they change sides."""
    if not inside or inside.isspace():
        return False
    return inside.isalnum() or not outside or not outside.isalnum() or is_letter(outside)
