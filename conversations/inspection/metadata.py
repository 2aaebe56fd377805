"""Removes metadata from images, so that a comment that nobody sees cannot make an image unreadable."""

import zlib
from collections.abc import Container, Iterator
from typing import Final

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8"
_END_OF_JPEG: Final = b"\xff\xd9"
_START_OF_SCAN: Final = 0xDA

_PIXELS: Final = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND", b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"))
_USEFUL: Final = _PIXELS | {b"tRNS", b"iCCP", b"eXIf", b"ICCP", b"EXIF"}
"""The chunks of PNG and WebP images that change how they look."""


def strip_metadata(content: bytes, *, keep_useful: bool) -> bytes:
    """Keeps the pixels of a PNG, JPEG or WebP image, and its profile, transparency and orientation if asked to.

    It also drops data after the image, and chunks of a PNG that have a wrong checksum and no pixels.
    """
    kept = _USEFUL if keep_useful else _PIXELS
    if content.startswith(_PNG):
        return _PNG + b"".join(_png_chunks(content, kept))
    if content.startswith(b"RIFF"):
        chunks = b"".join(_webp_chunks(content, kept))
        return b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks
    if content.startswith(_JPEG):
        return _JPEG + b"".join(_jpeg_segments(content, keep_useful=keep_useful))
    return content


def _png_chunks(content: bytes, kept: Container[bytes]) -> Iterator[bytes]:
    place = len(_PNG)
    while place < len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4])
        kind, checksum = content[place + 4 : place + 8], content[end - 4 : end]
        is_critical = kind in _PIXELS
        if kind in kept and (is_critical or checksum == zlib.crc32(content[place + 4 : end - 4]).to_bytes(4)):
            yield content[place:end]
        if kind == b"IEND":
            break
        place = end


def _webp_chunks(content: bytes, kept: Container[bytes]) -> Iterator[bytes]:
    place = 12
    while place < len(content):
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        end = place + 8 + size + size % 2
        if content[place : place + 4] in kept:
            yield content[place:end]
        place = end


def _jpeg_segments(content: bytes, *, keep_useful: bool) -> Iterator[bytes]:
    place = len(_JPEG)
    while place + 4 <= len(content):
        marker = content[place + 1]
        if content[place] != 0xFF or marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:
            # Fill bytes may precede a marker, and readers skip what does not begin a segment.
            place += 1
            continue
        if marker == _START_OF_SCAN:
            break
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4])
        if _is_kept(marker, content[place + 4 : end], keep_useful=keep_useful):
            yield content[place:end]
        place = end
    yield content[place:]


def _is_kept(marker: int, data: bytes, *, keep_useful: bool) -> bool:
    match marker:
        # These two say how the colours are encoded.
        case 0xE0:
            return data.startswith(b"JFIF\0") and len(data) >= 14
        case 0xEE:
            return data.startswith(b"Adobe") and len(data) >= 12
        case 0xE1:
            return keep_useful and data.startswith(b"Exif\0\0")
        case 0xE2:
            return keep_useful and data.startswith(b"ICC_PROFILE\0") and len(data) > 14
    is_comment, is_application = marker == 0xFE, 0xE0 <= marker <= 0xEF
    return not (is_comment or is_application)


def is_jpeg(content: bytes) -> bool:
    return content.startswith(_JPEG)


def end_jpeg(content: bytes, filling: bytes = b"") -> bytes:
    """Adds the end that a cut JPEG lacks, after the filling."""
    return content.rstrip(b"\xff") + filling + _END_OF_JPEG
