"""Guesses the encoding of a text that is not UTF-8."""

import re
import unicodedata
from pathlib import Path
from typing import Final

import chardet

from conversations.inspection.encodings import CONTROLS, ENCODINGS
from conversations.inspection.findings import Finding, Refused
from conversations.inspection.text import NOT_TAKEN, store

_SAMPLE: Final = 200_000
"""Bytes to judge by."""
_JUDGED: Final = 20_000
"""Characters to judge by."""
_WITHOUT_ASCII: Final = ("utf-8", "utf-16-le", "utf-16-be", "iso2022_jp_2")
_STATISTICAL: Final = [name for name in ENCODINGS if name not in _WITHOUT_ASCII]

_KANA: Final = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_IDEOGRAPHS: Final = re.compile(r"[\u3001-\u9fff\uff01-\uff5e]")
_FOREIGN: Final = r"\u0370-\u06ff\u0e00-\u0e7f\u2500-\u259f\uff61-\uff9f"
_MIXED: Final = re.compile(
    rf"(?<=[A-Za-z])[{_FOREIGN}]|[{_FOREIGN}](?=[A-Za-z])|(?<=[^\W\d_])[\u2500-\u259f](?=[^\W\d_])"
)
"""Letters of two scripts, or letters and parts of boxes, in one word."""
_WESTERN: Final = re.compile(
    r"[\x00-\x7f€‚„…†‡‰‘’“”•–—™‹›\xa0¡¢£¤¥§©«¬®°±²³´µ¶·¹º»¼½¾¿×÷ÄÅÆÇÉÈÊËÍÑÓÖØÚÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüœ]*"
)
_FOREIGN_WORD: Final = re.compile(
    r"[À-Öà-öØ-ßø-ÿœ]{3}|[^\W\d_][¡¢£¤¥©«¬®±²³¶¹º»¼½¾¿”„†‡‰•™‹›][^\W\d_]|[¹²³±®»][^\W\d_]"
)
"""What no Western word has."""
_LATIN: Final = ("cp1250", "iso8859-2", "cp1254", "cp1257", "cp1258")


def read(source: Path, folder: Path) -> Finding:
    content = source.read_bytes()
    encoding = guess(content)
    if encoding is None:
        raise Refused(NOT_TAKEN)
    return store(content, encoding, folder, is_certain=False)


def guess(content: bytes) -> str | None:
    """Returns an encoding that decodes the content to plausible text, or None if it is not text."""
    if b"\0" in content:
        return _guess_utf16(content)
    if CONTROLS.search(content.decode("latin-1")):
        return None
    if _is_mostly_utf8(content):
        return "utf-8"
    sample = _sample(content)
    encoding = _guess_japanese(sample) or _guess_by_statistics(sample)
    if encoding is None or _is_western(sample, has_letters=encoding not in _LATIN):
        return "cp1252"
    return encoding


def _guess_utf16(content: bytes) -> str | None:
    """The zero bytes of ASCII characters give UTF-16 away. A text has at least some: spaces or line breaks."""
    encoding = "utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"
    text = content.decode(encoding, "replace")
    is_whole = len(content) % 2 == 0 and text.count("\ufffd") * 100 <= len(text)
    return encoding if is_whole and not CONTROLS.search(text) and _is_plausible(text) else None


def _is_mostly_utf8(content: bytes) -> bool:
    """Whether few bytes are wrong. Other encodings hit upon a valid sequence for every few invalid ones at most."""
    text = content.decode(errors="replace")
    wrong = text.count("\ufffd") - content.count("\ufffd".encode())
    right = len(text) - wrong - sum(map(text.count, map(chr, range(128))))
    return wrong <= right // 4 or (wrong == 1 and right >= 2)


def _sample(content: bytes) -> bytes:
    """The lines that are not ASCII. No encoding in question uses the byte of a line break in a character."""
    lines = (line for line in content.splitlines(keepends=True) if not line.isascii())
    return b"".join(lines)[:_SAMPLE]


def _guess_japanese(sample: bytes) -> str | None:
    """Kana make Japanese certain, in texts that are too short for statistics too."""
    for encoding in ("cp932", "euc_jis_2004"):
        text = _decode(sample, encoding)
        if text is None:
            continue
        others = sum(not character.isascii() for character in text)
        kana, ideographs = len(_KANA.findall(text)), len(_IDEOGRAPHS.findall(text))
        # Chinese is kana by chance in EUC-JP.
        least = 0.15 if encoding == "cp932" or kana >= 10 else 0.6
        if others and ideographs >= 0.9 * others and kana >= least * others:
            return encoding
    return None


def _is_western(sample: bytes, *, has_letters: bool) -> bool:
    """Whether there are a few Western signs, or also letters, among ASCII. Statistics take them for other scripts."""
    text = _decode(sample, "cp1252") or ""
    others = [character for character in text if not character.isascii()]
    if not others or len(others) * 4 > len(text) or not _WESTERN.fullmatch(text) or _FOREIGN_WORD.search(text):
        return False
    return has_letters or not any(character.isalpha() for character in others)


def _guess_by_statistics(sample: bytes) -> str | None:
    guesses = chardet.detect_all(
        sample,
        ignore_threshold=True,
        max_bytes=_SAMPLE,
        prefer_superset=False,
        compat_names=False,
        include_encodings=_STATISTICAL,
    )
    for each in guesses:
        encoding = each["encoding"]
        text = _decode(sample, encoding) if encoding in ENCODINGS else None
        if encoding and text is not None and _is_plausible(text):
            return encoding
    return None


def _decode(sample: bytes, encoding: str) -> str | None:
    """Decodes the sample, whose last character may be cut; None if other bytes are wrong."""
    for length in range(len(sample), max(len(sample) - 4, 0), -1):
        try:
            return sample[:length].decode(encoding)
        except UnicodeDecodeError:
            if len(sample) < _SAMPLE:
                return None
    return None


def _is_plausible(text: str) -> bool:
    """Whether the text has hardly any characters that nobody writes, and no words in two scripts."""
    text = text[:_JUDGED]
    others = [character for character in text if not character.isascii()]
    odd = sum(unicodedata.category(character) in ("Cc", "Cn", "Co", "Cs") for character in others)
    return odd * 50 <= len(others) and len(_MIXED.findall(text)) * 5 <= len(others)
