"""How long and how much a tool server may take: seconds, and bytes unless said otherwise."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    connect: float = 10.0
    """Name look-up, TCP and TLS."""
    listing: float = 30.0
    farewell: float = 5.0
    """For telling a server, when all is done, that it may forget the session."""
    answer_size: int = 16 * 1024 * 1024
    """All that is read of one answer; more is a failure."""
    text_size: int = 256 * 1024
    """Text of one result in UTF-8; more is cut, and the model told so."""
    image_size: int = 3_750_000
    """One image, decoded: 5 MB in base64, which is what models take."""
    images: int = 8
    tools: int = 200
    """Of one server; more are left out."""
    pages: int = 50
    schema_size: int = 64 * 1024
    name_length: int = 200
    title_length: int = 200
    description_length: int = 10_000


LIMITS: Final = Limits()
