"""Makes any text fit for a log: short, printable and without secrets."""

import re
from typing import Final

HIDDEN: Final = "…"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
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
    beginning = _SECRET.sub(_hide, text[: 2 * most])
    return escape_surrogates(beginning if len(text) <= most else f"{beginning[:most]}… ({len(text):,} characters)")


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
