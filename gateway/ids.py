"""Makes ids in the forms that clients expect."""

import re
from collections.abc import Set
from hashlib import sha256
from secrets import token_hex
from typing import Final

MAX_NAME: Final = 64
"""Characters of a tool's name in Chat Completions."""
_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")


def make_id(prefix: str) -> str:
    """For example msg_8c1f…, with 24 random hexadecimal digits."""
    return f"{prefix}{token_hex(12)}"


def make_tool_id(id: str) -> str:
    """A tool call's id in the characters that the Messages API allows. `restore_tool_id` returns the original."""
    return id if id and not _FOREIGN.search(id) else f"id_{id.encode('utf-8', 'surrogatepass').hex()}"


def restore_tool_id(made: str) -> str:
    """The id from which `make_tool_id` has made this one; the same id if that never happened."""
    try:
        original = bytes.fromhex(made.removeprefix("id_")).decode("utf-8", "surrogatepass")
    except ValueError:
        return made
    return original if original and make_tool_id(original) == made else made


def make_unique(id: str, taken: Set[str]) -> str:
    """The id, or if it is taken already, one like it."""
    unique, count = id, 1
    while unique in taken:
        count += 1
        unique = f"{id}_{count}"
    return unique


def shorten_name(name: str) -> str:
    """A tool's name that servers of Chat Completions accept. The same name always gives the same result."""
    if len(name) <= MAX_NAME and not _FOREIGN.search(name):
        return name
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_FOREIGN.sub('_', name)[: MAX_NAME - 9]}_{digest}"


def shorten_user(user: str, longest: int) -> str:
    """An opaque name for a user. A hash replaces one that is too long, or an address, which servers refuse."""
    fits = len(user) <= longest and "@" not in user
    return user if fits else sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
