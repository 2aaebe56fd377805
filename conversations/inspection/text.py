"""Decodes text files, or refuses files that are not text."""

import codecs
from pathlib import Path
from typing import Final

from conversations.inspection.encodings import CONTROLS, decode_as
from conversations.inspection.findings import Finding, Kind, Refused

NOT_TAKEN: Final = "is not supported. Supported: images (PNG, JPEG, GIF, WebP), PDF and text files."

_MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by their byte order mark. One mark begins with another, so the order counts."""
_ISO_2022_JP: Final = (b"\x1b$@", b"\x1b$B")


def find_certain_encoding(content: bytes) -> str | None:
    """Returns the encoding of UTF-8, of a text with a byte order mark, and of old Japanese mail; otherwise None.

    ASCII in UTF-16 without a mark is UTF-8 as well, with zero bytes that no text has.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding
    if b"\0" in content:
        return None
    encoding = "iso2022_jp_2" if any(switch in content for switch in _ISO_2022_JP) else "utf-8"
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return encoding


def has_mark(content: bytes) -> bool:
    return content.startswith(tuple(_MARKS))


def store(content: bytes, encoding: str, folder: Path, *, is_certain: bool) -> Finding:
    """Writes the text as UTF-8, and keeps the original if the encoding may be another one. Raises Refused."""
    text = decode_as(content, encoding)
    if CONTROLS.search(text):
        raise Refused(NOT_TAKEN)
    if not text.strip():
        raise Refused("contains only white space.")
    (folder / "content").write_text(text, encoding="utf-8", newline="")
    if is_certain:
        return Finding(Kind.TEXT, "text/plain", folder / "content")
    (folder / "original").write_bytes(content)
    return Finding(Kind.TEXT, "text/plain", folder / "content", original=folder / "original", encoding=encoding)
