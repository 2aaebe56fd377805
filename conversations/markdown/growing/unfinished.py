"""What to show of a text that stops in the middle: marks that may yet become something else wait, open ones close."""

import re
from typing import Final

# A line of nothing but marks says only later what it is: an item, a rule, a heading, the underline of one, a table…
MARKS: Final = re.compile(
    r"[ \t]*(?:[-=*+_#>|`~: \t]*|[0-9]{1,9}[.)]?[ \t]*|(?:[-*+]|[0-9]{1,9}[.)])[ \t]+\[[ xX]?\]?[ \t]*)"
)
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)?(?:```[^`]{0,60}|~~~.{0,60})")
_ROW = re.compile(r"[ \t]*\|.{0,400}")
_LEAD = re.compile(r"[ \t>]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+>*)*")
_ADDRESS = re.compile(r"[^()\s]*\Z")
_CODE = re.compile(r"`[^`]*`")
_STARS = re.compile(r"\*\*?(?=[^\s*])")
_BEFORE_OPENER: Final = " \t\n\xa0\u3000([\"'>|—–-"


def presentable(text: str) -> str:
    """The part of a text that can be shown, with what its last line leaves open closed for the moment."""
    start = text.rfind("\n") + 1
    line = text[start:]
    if MARKS.fullmatch(line) or _FENCE.fullmatch(line):
        return "" if _is_table_head(text, start) else text[:start]
    if start == 0 and _ROW.fullmatch(line):
        return ""
    lead = start_of_text(line)
    shown = line[:lead] + _closed(line[lead:].rstrip(" \t"))
    return text[:start] if MARKS.fullmatch(shown) else text[:start] + shown


def start_of_text(line: str) -> int:
    """Where a line's last run of text starts: behind the marks of lists and quotes, and in a row in its last cell."""
    lead = _LEAD.match(line)
    start = lead.end() if lead else 0
    return line.rfind("|") + 1 if line.startswith("|", start) else start


def is_in_address(text: str) -> bool:
    """Whether a text stops inside of the address of a link, of which nothing is shown."""
    at = text.rfind("](", text.rfind("\n") + 1)
    return at > 0 and "`" not in text[at:] and _ADDRESS.match(text, at + 2) is not None


def _is_table_head(text: str, end: int) -> bool:
    """Whether the text is one line that may be a table's first: it takes the second to know."""
    return text.startswith("|") and text.find("\n") == end - 1 and end < 400


def _closed(line: str) -> str:
    if "`" in line and line.count("`") % 2:
        around, _, code = line.rpartition("`")
        if code:
            return f"{line}`{_open_stars(around)}"
        line = around.rstrip(" \t")
    if "](" in line:
        line = _without_open_address(line)
    if line.endswith(("*", "[", "![")) and (line.count("**") % 2 or not line.endswith("**")):
        line = line.rstrip("*[!")
    if "*" in line and (stars := _open_stars(line)):
        return f"{line.rstrip('* ')}{stars}"
    return line


def _open_stars(line: str) -> str:
    """The mark that closes the emphasis a line leaves open."""
    if "`" in line:
        line = _CODE.sub("`", line)
    openers = [found[0] for found in _STARS.finditer(line) if line[found.start() - 1 : found.start()] in _BEFORE_OPENER]
    if not openers:
        return ""
    is_open = line.count("**") % 2 if openers[-1] == "**" else line.replace("**", "").count("*") % 2
    return openers[-1] if is_open else ""


def _without_open_address(line: str) -> str:
    """A line that stops in the address of a link, with the link's text instead."""
    at = line.rfind("](")
    start = line.rfind("[", 0, at)
    text = line[start + 1 : at]
    if start < 0 or "]" in text or not _ADDRESS.match(line, at + 2):
        return line
    return line[: start - (line[start - 1 : start] == "!")] + text
