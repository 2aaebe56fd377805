"""A file's kind by its first bytes; its name and what a browser says of it count for nothing."""

from typing import Final

from conversations.inspection.findings import Kind

HEAD: Final = 16
"""Bytes that are enough to tell."""

_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


def kind_of(head: bytes) -> Kind:
    """What the file has to be; text is what is left, and has to prove it."""
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return Kind.IMAGE
    return Kind.PDF if head.startswith(b"%PDF-") else Kind.TEXT
