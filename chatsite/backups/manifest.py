"""What a backup says of itself."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final, Self

from chatsite.backups.archive import Damaged

FORMAT: Final = 1
SIZE_LIMIT: Final = 1_000_000
"""Bytes of the largest manifest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    version: str
    """Of the chatsite that migrated the database last."""
    made_at: str
    """In ISO 8601, with the time zone."""
    database: str
    """The vendor: `sqlite` or `postgresql`."""
    migrations: list[str]
    """All applied ones, as `app.name`."""
    sealing_key: str
    """The fingerprint of the key that sealed the providers' keys."""

    def encode(self) -> bytes:
        return json.dumps({"format": FORMAT} | asdict(self), indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        try:
            fields = json.loads(content)
            number = fields.pop("format")
            if number != FORMAT:
                raise Damaged(f"its format is {number!r}, and this version of chatsite reads format {FORMAT}")
            manifest = cls(**fields)
            texts = (manifest.version, manifest.made_at, manifest.database, manifest.sealing_key, *manifest.migrations)
            if not all(isinstance(text, str) and text.isprintable() for text in texts):
                raise TypeError("a field is not a text")
            return manifest
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise Damaged("its manifest cannot be read") from error


def fingerprint(key: str) -> str:
    """Identifies a key without revealing it."""
    return hashlib.sha256(f"chatsite sealing key: {key}".encode()).hexdigest()[:16]
