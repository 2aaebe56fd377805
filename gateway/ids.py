"""Makes ids in the forms that clients expect."""

import re
from hashlib import sha256
from secrets import token_hex
from typing import Final

_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")


def make_id(prefix: str) -> str:
    """For example msg_8c1f…, with 24 random hexadecimal digits."""
    return f"{prefix}{token_hex(12)}"


def make_tool_id(id: str) -> str:
    """A tool call's id in the characters that the Messages API allows; the same id always gives the same result.

    The suffix keeps ids apart that differ only in replaced characters.
    """
    if id and not _FOREIGN.search(id):
        return id
    return f"{_FOREIGN.sub('_', id) or 'call'}_{sha256(id.encode()).hexdigest()[:8]}"
