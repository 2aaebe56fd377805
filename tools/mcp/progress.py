"""The progress that a server reports on a running call, in words for people."""

import math
from collections.abc import Callable
from typing import Final

from tools.results import make_storable

type OnProgress = Callable[[str], None]

_LENGTH: Final = 200


def ignore_progress(words: str) -> None:
    pass


def describe_progress(progress: float, total: float | None, message: str | None) -> str:
    """Returns the server's message and the share that is done: "Reading pages, 40%". "" if it says neither."""
    words = " ".join(make_storable(message or "").split())
    words = f"{words[: _LENGTH - 1]}…" if len(words) > _LENGTH else words
    share = progress / total if total else math.nan
    percent = f"{min(max(share, 0), 1):.0%}" if math.isfinite(share) else ""
    return ", ".join(filter(None, [words, percent]))
