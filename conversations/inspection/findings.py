"""What an inspection asks and what it finds."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    IMAGE = "image"
    PDF = "pdf"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are bytes."""

    size: int
    text_size: int
    pixels: int
    pages: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be kept of a file: `content` instead of what was sent, and what else was made of it."""

    kind: Kind
    media_type: str
    content: Path
    thumbnail: Path | None = None
    text: Path | None = None
    """What a PDF says, for models that take none."""
    is_text_whole: bool = True
    width: int | None = None
    height: int | None = None
    pages: int | None = None


class Refused(Exception):
    """A file that is not taken; its words go on from the file's name: “a.png” is damaged."""
