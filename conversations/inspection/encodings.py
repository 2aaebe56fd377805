"""Names the encodings that a text can be read as, and decodes it."""

import re
from typing import Final

ENCODINGS: Final = {
    "utf-8": "UTF-8",
    "cp1252": "Western (Windows-1252)",
    "gb18030": "Chinese (GB18030)",
    "big5hkscs": "Chinese (Big5)",
    "cp932": "Japanese (Shift_JIS)",
    "euc_jis_2004": "Japanese (EUC-JP)",
    "iso2022_jp_2": "Japanese (ISO-2022-JP)",
    "cp949": "Korean (EUC-KR)",
    "cp1251": "Cyrillic (Windows-1251)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "koi8-u": "Cyrillic (KOI8-U)",
    "cp866": "Cyrillic (DOS 866)",
    "iso8859-5": "Cyrillic (ISO-8859-5)",
    "cp1250": "Central European (Windows-1250)",
    "iso8859-2": "Central European (ISO-8859-2)",
    "cp1253": "Greek (Windows-1253)",
    "cp1254": "Turkish (Windows-1254)",
    "cp1255": "Hebrew (Windows-1255)",
    "cp1256": "Arabic (Windows-1256)",
    "cp1257": "Baltic (Windows-1257)",
    "cp1258": "Vietnamese (Windows-1258)",
    "cp874": "Thai (Windows-874)",
    "cp437": "Western (DOS 437)",
    "cp850": "Western (DOS 850)",
    "mac-roman": "Western (Mac Roman)",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
}
"""What to call each encoding that a text can be read as, by Python's name. The first ones are the most frequent."""

CONTROLS: Final = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters that no text has: all but white space, bell, backspace and the escape of terminal logs."""


def decode_as(content: bytes, encoding: str) -> str:
    """Decodes without a byte order mark. Wrong bytes become U+FFFD."""
    return content.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace").removeprefix("\ufeff")
