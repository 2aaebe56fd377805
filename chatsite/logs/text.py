"""Makes any text fit for a log: short, printable and without secrets."""

import re
from typing import Final

HIDDEN: Final = "…"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
LONGEST_QUOTATION: Final = 40
# Also one that Python has cut. An apostrophe within a word begins none. Each character matches in one way only, so that
# no text takes long.
_QUOTATION: Final = re.compile(
    r"(?:(?<!\w)|(?<=\bb))(?P<mark>['\"])(?:\\.|(?!(?P=mark))[^\\])"
    rf"{{{LONGEST_QUOTATION},}}+(?:(?P=mark)|\\?\Z)"
)
_SECRET: Final = re.compile(
    r"(?P<before>/set-up/)[^/\s]+"  # The link for the first administrator.
    r"|(?P<scheme>://)[^/\s@]*@"  # The name and password in an address.
    r"|(?P<key>\b(?:cs|sk|pk)-)[A-Za-z0-9_-]{16,}"  # API keys: ours and those of providers.
    r"|(?P<bearer>\bBearer )\S{8,}",
    re.IGNORECASE,
)


def make_safe(text: str, most: int) -> str:
    """Hides secrets and cuts a text with more than `most` characters, whose length it then names."""
    # A secret at the cut would not be recognised by its beginning alone.
    return _cut(_SECRET.sub(_hide, text[: 2 * most]), most, len(text))


def make_first_line_safe(text: str, most: int) -> str:
    """Like `make_safe`. Also leaves out what may be somebody's text: further lines and long quotations."""
    line = next(iter(text.strip().splitlines()), "")
    return _cut(_SECRET.sub(_hide, _QUOTATION.sub(_hide_quotation, line[: 2 * most])), most, len(line))


def _cut(beginning: str, most: int, length: int) -> str:
    return escape_surrogates(beginning if length <= most else f"{beginning[:most]}… ({length:,} characters)")


def _hide_quotation(found: re.Match[str]) -> str:
    return f"{found['mark']}{HIDDEN}{found['mark']}"


def _hide(found: re.Match[str]) -> str:
    return f"{found[found.lastgroup or 0]}{HIDDEN}{'@' if found.lastgroup == 'scheme' else ''}"


def escape_surrogates(text: str) -> str:
    """Replaces halves of characters, which no encoding can write."""
    return _SURROGATE.sub(_escape, text)


def escape_unprintable(text: str) -> str:
    """Replaces line breaks, control characters and what changes the direction of text by their escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape_character(each) for each in text)


def _escape(found: re.Match[str]) -> str:
    return _escape_character(found[0])


def _escape_character(character: str) -> str:
    return character.encode("unicode_escape").decode()
