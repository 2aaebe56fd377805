"""Numbers that stand in addresses, which anybody can write."""

LONGEST_KEY = 18
"""Digits that every key of the database can have."""


def whole_number(text: str) -> int | None:
    """None for anything that is not a whole number, or too long to be anything's key."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_KEY else None
