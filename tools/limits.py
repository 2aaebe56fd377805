"""Limits on what a tool server may take and send, in seconds and bytes unless stated otherwise."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ToolLimits:
    connect: float = 10.0
    """DNS look-up, TCP and TLS."""
    listing: float = 30.0
    longest_call: int = 3600
    """The longest time limit of a call. A call whose server reports progress may also take this long, so that a server
    cannot keep an answer open for good."""
    farewell: float = 5.0
    """For the requests that cancel a call and end a session, after the work is done."""
    answer_size: int = 16 * 1024 * 1024
    """Of one HTTP answer. A longer one is a failure."""
    text_size: int = 256 * 1024
    """Of one result's text in UTF-8. Longer text is cut, and the model is informed."""
    image_size: int = 3_750_000
    """Of one decoded image. In base64 it is 5 MB, the most that models accept."""
    images: int = 8
    tools: int = 200
    """Tools of one server. Further ones are ignored."""
    pages: int = 50
    schema_size: int = 64 * 1024
    name_length: int = 200
    title_length: int = 200
    description_length: int = 10_000


LIMITS: Final = ToolLimits()
