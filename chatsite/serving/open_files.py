"""The limit of open files: each connection takes one of them."""

import resource
from typing import Final

MOST: Final = 65_536
"""More is of no use: before that, the processor is the limit."""
RESERVED: Final = 200
"""Open files for databases, logs, uploads and requests."""
PER_TAB: Final = 2
"""A tab's own connection, and one to a model server while an answer is being written for it."""


def raise_limit() -> int:
    """Raises the soft limit of this process to the hard one, up to MOST. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, highest = (MOST if limit == resource.RLIM_INFINITY else limit for limit in (soft, hard))
    if soft < (wanted := min(highest, MOST)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def describe_limit(limit: int) -> str:
    tabs = max(0, limit - RESERVED) // PER_TAB
    return f"This process can open {limit:,} files, which is enough for about {tabs:,} tabs."
