"""The limits and the result of an inspection."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final


class Kind(StrEnum):
    IMAGE = "image"
    PDF = "pdf"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Sizes are bytes."""

    size: int
    text_size: int
    pixels: int
    pages: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of an inspection. `content` replaces the uploaded file; the other files were made from it."""

    kind: Kind
    media_type: str
    content: Path
    thumbnail: Path | None = None
    text: Path | None = None
    """The text of a PDF, for models that do not read PDF files."""
    original: Path | None = None
    """The uploaded bytes of a text whose encoding was guessed."""
    encoding: str = ""
    """The guessed encoding of a text, one of ENCODINGS; "" if it is certain."""
    is_text_whole: bool = True
    width: int | None = None
    height: int | None = None
    pages: int | None = None


PATHS: Final = ("content", "thumbnail", "text", "original")
"""The fields of a finding that are paths."""


class Refused(Exception):
    """A file is refused. The message continues after the file's name: “a.png” is damaged."""
