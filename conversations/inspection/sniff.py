"""Identifies a file by its first bytes. Its name and the browser's media type are ignored."""

from typing import Final

from conversations.inspection.findings import Kind

HEAD: Final = 16
"""Bytes that identify a file."""

_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


def kind_of(head: bytes) -> Kind:
    """Returns the only kind that the file can be. Anything else may be text, which is checked later."""
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return Kind.IMAGE
    return Kind.PDF if head.startswith(b"%PDF-") else Kind.TEXT
