"""What a backup says of itself."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final, Self

from chatsite.backups.archive import Damaged

FORMAT: Final = 2
WHOLE_DATABASE_FORMAT: Final = 1
"""Of earlier versions: the archive contains a file of the database, made by SQLite or pg_dump, and no tables."""
SIZE_LIMIT: Final = 1_000_000
"""Bytes of the largest manifest."""


@dataclass(frozen=True, slots=True)
class SavedTable:
    name: str
    columns: list[str]
    """In the order in which the rows have them."""
    rows: int
    digest: str
    """Over the values in their canonical form, the same for all databases."""
    last_number: int
    """The highest number that the database has given to a row, or 0."""

    def __post_init__(self) -> None:
        texts, numbers = (self.name, self.digest, *self.columns), (self.rows, self.last_number)
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(each, int) for each in numbers):
            raise TypeError("a field has the wrong type")


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
    tables: list[SavedTable]

    def encode(self) -> bytes:
        return json.dumps({"format": FORMAT} | asdict(self), indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        try:
            fields = json.loads(content)
            number = fields.pop("format")
            if number not in (FORMAT, WHOLE_DATABASE_FORMAT):
                raise Damaged(f"its format is {number!r}, and this version of chatsite reads format {FORMAT}")
            tables = fields.pop("tables") if number == FORMAT else []
            manifest = cls(**fields, tables=[SavedTable(**table) for table in tables])
            texts = (manifest.version, manifest.made_at, manifest.database, manifest.sealing_key, *manifest.migrations)
            if not all(isinstance(text, str) and text.isprintable() for text in texts):
                raise TypeError("a field is not a text")
            return manifest
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise Damaged("its manifest cannot be read") from error


def fingerprint(key: str) -> str:
    """Identifies a key without revealing it."""
    return hashlib.sha256(f"chatsite sealing key: {key}".encode()).hexdigest()[:16]
