"""Decodes text files, or refuses files that are not text."""

import codecs
import re
from typing import Final

from conversations.inspection.findings import Refused

_NO_TEXT: Final = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters that no text has: all but white space, bell, backspace and the escape of terminal logs."""

NOT_TAKEN: Final = "is not supported. Supported: images (PNG, JPEG, GIF, WebP), PDF and text files."


def decode(content: bytes) -> str:
    """Decodes UTF-8, UTF-16 with a byte order mark, or else Windows-1252. Raises Refused if it is not text."""
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            raise Refused(NOT_TAKEN) from None
    if _NO_TEXT.search(text):
        raise Refused(NOT_TAKEN)
    if not text.strip():
        raise Refused("contains only white space.")
    return text
