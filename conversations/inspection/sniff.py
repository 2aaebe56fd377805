"""Identifies a file by its bytes. Its name and the browser's media type are ignored."""

import re
from pathlib import Path
from typing import Final

from conversations.inspection.findings import Kind

PDF_HEADER: Final = b"%PDF-"
PDF_HEAD: Final = 1024
"""Bytes within which readers look for the header of a PDF."""

_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_PDF_TAIL: Final = 4096
_END_OF_PDF: Final = re.compile(rb"startxref\s+\d+\s+%%EOF")
_BEFORE_PDF: Final = b"\xef\xbb\xbf \t\r\n\f\0"
"""A byte order mark and white space."""


def kind_of(source: Path) -> Kind:
    """Returns the only kind that the file can be. Anything else may be text, which is checked later."""
    with source.open("rb") as file:
        head = file.read(PDF_HEAD + len(PDF_HEADER) - 1)
        file.seek(max(0, source.stat().st_size - _PDF_TAIL))
        tail = file.read()
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return Kind.IMAGE
    return Kind.PDF if _is_pdf(head, tail) else Kind.TEXT


def _is_pdf(head: bytes, tail: bytes) -> bool:
    """A text may mention the header. It is a PDF if nothing precedes the header, or if the end is one of a PDF."""
    before, header, _ = head.partition(PDF_HEADER)
    if not header:
        return False
    return not before.strip(_BEFORE_PDF) or bool(_END_OF_PDF.search(tail))
