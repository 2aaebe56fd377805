"""Parses PDF files within limits and extracts their text for models that do not read PDF files."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from pypdf import PdfReader

from conversations.inspection.findings import FileLimits, Finding, Kind, Refused

TEXT_PATIENCE: Final = 10.0
"""Seconds for extracting text. The text extracted by then is kept."""


class _TooLong(Exception):
    pass


def read(source: Path, folder: Path, limits: FileLimits) -> Finding:
    reader = PdfReader(source)
    if reader.is_encrypted:
        raise Refused("is protected with a password. Remove the password, then attach the file again.")
    pages = len(reader.pages)
    if pages == 0:
        raise Refused("has no pages.")
    if pages > limits.pages:
        raise Refused(f"has too many pages ({pages:,}; limit {limits.pages:,}).")
    text, is_whole = _text(reader, limits.text_size)
    (folder / "text").write_text(text, encoding="utf-8", newline="")
    return Finding(Kind.PDF, "application/pdf", source, text=folder / "text", is_text_whole=is_whole, pages=pages)


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
