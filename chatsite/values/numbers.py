"""Parses numbers from URLs, which are untrusted."""

LONGEST_KEY = 18
"""The most digits that always fit a 64-bit key."""


def whole_number(text: str) -> int | None:
    """Returns None for text that is not a whole number or is too long for a key."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_KEY else None
