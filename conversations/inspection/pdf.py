"""Parses PDF files within limits and extracts their text for models that do not read PDF files."""

import io
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

from conversations.inspection.findings import FileLimits, Finding, Kind, Refused
from conversations.inspection.sniff import PDF_HEADER

TEXT_PATIENCE: Final = 10.0
"""Seconds for extracting text. The text extracted by then is kept."""
DECRYPTION_PATIENCE: Final = 10.0

_TAIL: Final = 4096
_START_OF_TABLE: Final = re.compile(rb"startxref\s+(\d{1,12})(?!.*startxref)", re.DOTALL)
_TABLE: Final = re.compile(rb"\s{0,9}(?:xref|\d{1,10}\s+\d{1,5}\s+obj)")


class _TooLong(Exception):
    pass


def read(source: Path, folder: Path, limits: FileLimits) -> Finding:
    content = _from_header(source.read_bytes())
    reader = PdfReader(io.BytesIO(content))
    was_encrypted = reader.is_encrypted
    if was_encrypted and not _opens_without_password(reader):
        raise Refused("is protected with a password. Remove the password, then attach the file again.")
    pages = len(reader.pages)
    if pages == 0:
        raise Refused("has no pages.")
    if pages > limits.pages:
        raise Refused(f"has too many pages ({pages:,}; limit {limits.pages:,}).")
    text, is_whole = _text(reader, limits.text_size)
    (folder / "text").write_text(text, encoding="utf-8", newline="")
    (folder / "content").write_bytes(_decrypt(reader, limits.size) or content if was_encrypted else content)
    return Finding(
        Kind.PDF, "application/pdf", folder / "content", text=folder / "text", is_text_whole=is_whole, pages=pages
    )


def _from_header(content: bytes) -> bytes:
    """Drops what precedes the header, unless the file counts its offsets from there."""
    start = content.index(PDF_HEADER)
    place = _START_OF_TABLE.search(content, max(start, len(content) - _TAIL))
    if start and place and _is_table(content, int(place[1])) and not _is_table(content, start + int(place[1])):
        return content
    return content[start:]


def _is_table(content: bytes, place: int) -> bool:
    return bool(_TABLE.match(content, place))


def _opens_without_password(reader: PdfReader) -> bool:
    """Whether the file only restricts what readers offer. Anyone can open such a file."""
    try:
        return bool(reader.decrypt(""))
    except (PyPdfError, NotImplementedError):
        return False


def _decrypt(reader: PdfReader, largest: int) -> bytes | None:
    """Writes the file without encryption: models refuse encrypted files. Returns None if that fails."""
    try:
        with _at_most(DECRYPTION_PATIENCE):
            buffer = io.BytesIO()
            PdfWriter(clone_from=reader).write(buffer)
    except Exception:
        # The file itself can still be sent, and its text.
        return None
    return buffer.getvalue() if buffer.tell() <= largest else None


def _text(reader: PdfReader, size: int) -> tuple[str, bool]:
    """Returns the text of the pages, and whether it is complete."""
    said: list[str] = []
    left, is_whole = size, True
    try:
        with _at_most(TEXT_PATIENCE):
            for page in reader.pages:
                words = page.extract_text().encode("utf-8", "replace").replace(b"\0", b"").strip()
                said.append(words[:left].decode("utf-8", "ignore"))
                left -= len(words)
                if left <= 0:
                    is_whole = False
                    break
    except Exception:
        # A page may be unreadable in any way. The file itself can still be sent.
        is_whole = False
    return "\n\n".join(filter(None, said)), is_whole


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends the block after `seconds` if the system has alarms. Elsewhere the parent's timeout does."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
