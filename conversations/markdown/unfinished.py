"""What to show of a text that stops in the middle: marks that may yet become something else wait, open ones close."""

import re

# A line of nothing but marks says only later what it is: an item, a rule, a heading, the underline of one, a table…
_MARKS = re.compile(
    r"[ \t]*(?:[-=*+_#>|`~: \t]*|[0-9]{1,9}[.)]?[ \t]*|(?:[-*+]|[0-9]{1,9}[.)])[ \t]+\[[ xX]?\]?[ \t]*)"
)
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)?(?:```[^`]{0,60}|~~~.{0,60})")
_ROW = re.compile(r"[ \t]*\|.{0,400}")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\Z")
_OPENER = re.compile(r"(?:\A|[\s(\[\"'>|—–-])(\*\*|\*)(?=[^\s*])")


def presentable(text: str) -> str:
    """The part of a text that can be shown, with what its last line leaves open closed for the moment."""
    start = text.rfind("\n") + 1
    line = text[start:]
    if _MARKS.fullmatch(line) or _FENCE.fullmatch(line):
        return "" if _is_table_head(text, start) else text[:start]
    if start == 0 and _ROW.fullmatch(line):
        return ""
    return text[:start] + _closed(line.rstrip(" \t"))


def _is_table_head(text: str, end: int) -> bool:
    """Whether the text is one line that may be a table's first: it takes the second to know."""
    return text.startswith("|") and text.find("\n") == end - 1 and end < 400


def _closed(line: str) -> str:
    if line.count("`") % 2:
        return line[:-1] if line.endswith("`") else f"{line}`"
    line = _LINK.sub(r"\1", line)
    if line.endswith(("*", "[", "![")):
        line = line.rstrip("*[!") if line.count("**") % 2 or not line.endswith("**") else line
    openers = _OPENER.findall(line)
    if openers and openers[-1] == "**" and line.count("**") % 2:
        return f"{line.rstrip('* ')}**"
    if openers and openers[-1] == "*" and line.replace("**", "").count("*") % 2:
        return f"{line.rstrip('* ')}*"
    return line
