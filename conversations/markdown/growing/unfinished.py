"""What to show of an unfinished text: open marks are closed, and marks that may still change their meaning wait."""

import re
from typing import Final

from conversations.markdown.growing.waiting import hide_open_address, hide_open_display, hide_open_formula

# A line of marks alone may become an item, a rule, a heading, the underline of one, a table…
_MARKS: Final = re.compile(
    r"[ \t]*(?:[-=*+_#>|`~: \t]*|[0-9]{1,9}[.)]?[ \t]*|(?:[-*+]|[0-9]{1,9}[.)])[ \t]+\[[ xX]?\]?[ \t]*)"
)
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)?(?:```[^`]{0,60}|~~~.{0,60})")
_ROW = re.compile(r"[ \t]*\|.{0,400}")
_LEAD = re.compile(r"[ \t>]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+>*)*")
_CODE = re.compile(r"`[^`]*`")
_STARS = re.compile(r"\*\*?(?=[^\s*])")
_BEFORE_OPENER: Final = " \t\n\xa0\u3000([\"'>|—–-"


def preview(text: str) -> str:
    """Returns the part of a text that can be shown. It closes, for now, the marks that the last line leaves open."""
    text = hide_open_display(text)
    start = text.rfind("\n") + 1
    line = text[start:]
    if _MARKS.fullmatch(line) or _FENCE.fullmatch(line):
        return "" if _is_table_head(text, start) else text[:start]
    if start == 0 and _ROW.fullmatch(line):
        return ""
    if "](" in line:
        cell = _find_cell(line)
        text = hide_open_address(text, start + cell if cell else 0)
        start = text.rfind("\n") + 1
        line = text[start:]
    lead = _find_text(line)
    shown = line[:lead] + _close_marks(line[lead:].rstrip(" \t"))
    return text[:start] if _MARKS.fullmatch(shown) else text[:start] + shown


def _find_text(line: str) -> int:
    """Returns where a line's text starts, after the marks of lists and quotes. In a row, that is its last cell."""
    lead = _LEAD.match(line)
    start = lead.end() if lead else 0
    return line.rfind("|") + 1 if line.startswith("|", start) else start


def _find_cell(line: str) -> int:
    """Returns where the last cell of a row starts, 0 if the line is not a row."""
    return line.rfind("|") + 1 if line.lstrip(" \t>").startswith("|") else 0


def _is_table_head(text: str, end: int) -> bool:
    """Whether the text is one line that may be the first of a table, which only the second can tell."""
    return text.startswith("|") and text.find("\n") == end - 1 and end < 400


def _close_marks(line: str) -> str:
    line = hide_open_formula(line)
    if "`" in line and line.count("`") % 2:
        around, _, code = line.rpartition("`")
        if code:
            return f"{line}`{_find_open_emphasis(around)}"
        line = around.rstrip(" \t")
    if line.endswith(("*", "[", "![")) and (line.count("**") % 2 or not line.endswith("**")):
        line = line.rstrip("*[!")
    if "*" in line and (stars := _find_open_emphasis(line)):
        return f"{line.rstrip('* ')}{stars}"
    return line


def _find_open_emphasis(line: str) -> str:
    """Returns the mark that closes the emphasis that a line leaves open, empty if there is none."""
    if "`" in line:
        line = _CODE.sub("`", line)
    is_strong, is_emphasised = line.count("**") % 2, line.replace("**", "").count("*") % 2
    if not is_strong and not is_emphasised:
        return ""
    openers = [found[0] for found in _STARS.finditer(line) if line[found.start() - 1 : found.start()] in _BEFORE_OPENER]
    if not openers:
        return ""
    return openers[-1] if (is_strong if openers[-1] == "**" else is_emphasised) else ""
