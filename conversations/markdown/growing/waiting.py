r"""Hides the open link or formula that a text ends in, so that its source does not flash: [text](http, $x^2, \(x.

What is hidden is bounded: beyond the length of what can be drawn, it is shown as it is.
"""

import re

from conversations.markdown import latex, links, math

_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?:(?<!`)\1(?!`)|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)*(?:```|~~~)", re.MULTILINE)
_ADDRESS = re.compile(
    r" *+(?:<[^<>]*+>?+|(?:[^\s()]|\([^\s()]*+\))*+(?:\([^\s()]*+)?+)(?: ++(?:\"[^\"]*+\"?+|'[^']*+'?+)? *+)?\Z"
)
_BRACKET = re.compile(r"\\.|[\[\]]", re.DOTALL)
_DISPLAY = re.compile(rf"\\(?:begin|end)\{{{math.ENVIRONMENT}\}}|\\.|\$\$", re.DOTALL)
_BEGINNING_OF_BEGIN = re.compile(r"\\(?:b|be|beg|begi|begin(?:\{[a-z]{0,8}\*?)?)?\Z")
_BEGINNING = re.compile(r"\n(?=[ \t>]*(?:(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]|#|\|)|\n))")
"""The line end before a blank line, an item, a heading or a row: what is open ends there."""
_INLINE = re.compile(r"\\.|\$+", re.DOTALL)
_VARIABLE_OR_PRICE = re.compile(r"[A-Za-z]{3}|[0-9](?![^\s$]*[\\^_{=])|[^\w\\({\[|+−-]")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,} [A-Za-z]{2,}")
_WORDS_IN_FORMULA = re.compile(r"\\(?:text[a-z]*|mbox|mathrm|operatorname)\{[^{}]*(?:\}|\Z)")


def hide_open_display(text: str) -> str:
    r"""Returns a text without the open \[, $$ or environment that its last paragraph ends in."""
    if "\\" not in text and "$$" not in text:
        return text
    start = _find_beginning(text)
    opened, closer = -1, ""
    for found in _DISPLAY.finditer(_mask_code(text, start), start):
        mark = found[0]
        if opened >= 0:
            opened = -1 if mark == closer else opened
        elif mark in ("\\[", "$$") or mark.startswith("\\begin"):
            opened = found.start()
            closer = {"\\[": "\\]", "$$": "$$"}.get(mark) or mark.replace("begin", "end")
    if opened < 0 or len(text) - opened > latex.LONGEST or _is_code(text):
        return text
    return text[:opened]


def hide_open_formula(line: str) -> str:
    r"""Returns a line without the open \( or $ that it ends in. Prices and variables are not formulas."""
    if "$" not in line and "\\" not in line:
        return line
    masked = _mask_code(line, 0)
    opened, closer = -1, ""
    for found in _INLINE.finditer(masked):
        mark, after = found[0], masked[found.end() :]
        if opened >= 0:
            opened = -1 if mark == closer else opened
        elif mark == "\\(" or (mark == "$" and not _VARIABLE_OR_PRICE.match(after)):
            opened, closer = found.start(), "\\)" if mark == "\\(" else "$"
    if opened < 0:
        beginning = _BEGINNING_OF_BEGIN.search(masked)
        is_escaped = beginning and masked[: beginning.start()].endswith("\\")
        return line[: beginning.start()] if beginning and not is_escaped else line
    formula = masked[opened:]
    if len(formula) > latex.LONGEST or (closer == "$" and _PROSE.search(_WORDS_IN_FORMULA.sub("", formula))):
        return line
    return line[:opened]


def hide_open_address(text: str, cell: int) -> str:
    """Replaces a link whose address is not complete by the link's text. A row's last cell starts at `cell`."""
    at = text.rfind("](", cell)
    if at < 0 or len(text) - at > links.LONGEST or not _ADDRESS.match(text, at + 2):
        return text
    start = max(cell, _find_beginning(text))
    masked = _mask_code(text, start)
    if not masked.startswith("](", at) or _is_code(text):
        return text
    opened: list[int] = []
    for found in _BRACKET.finditer(masked, start, at):
        if found[0] == "[":
            opened.append(found.start())
        elif found[0] == "]" and opened:
            opened.pop()
    if not opened:
        return text
    start = opened[-1]
    is_image = text.startswith("!", start - 1) and start > 0
    return text[: start - is_image] + text[start + 1 : at]


def _find_beginning(text: str) -> int:
    """Returns where the paragraph, item, heading or row that a text ends in starts."""
    start = 0
    for found in _BEGINNING.finditer(text):
        start = found.end()
    return start


def _mask_code(text: str, start: int) -> str:
    """Returns a text of the same length without the marks in its code after `start`."""
    if "`" not in text:
        return text
    return text[:start] + _CODE.sub(lambda code: "x" * len(code[0]), text[start:])


def _is_code(text: str) -> bool:
    """Whether a block ends in code: an indented block, or an open fence in a list or quote."""
    return text.startswith(("    ", "\t")) or len(_FENCE.findall(text)) % 2 == 1
