"""Text without what a search ignores: case and accents."""

import json
import re
import unicodedata
from typing import Final

_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_ESCAPES: Final = re.compile(r"\\[^u]|(?:\\u[0-9a-fA-F]{4})+")


def fold(text: str) -> str:
    """`Zürich` and `ZURICH` become `zurich`."""
    if text.isascii():
        return text.lower()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFD", text)).lower()
    return plain.replace("ß", "ss").replace("ς", "σ")


def decode_json(text: str) -> str:
    """Returns JSON with characters for their numbers, and blanks for all other escapes."""
    return _ESCAPES.sub(_decode, text) if "\\" in text else text


def _decode(escape: re.Match[str]) -> str:
    if escape[0][1] != "u":
        return " "
    characters: str = json.loads(f'"{escape[0]}"')
    # Halves of pairs cannot be text, and SQLite takes NUL for the end of one.
    return characters.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", " ")


def fold_json(text: str) -> str:
    return fold(decode_json(text))
