"""Makes file names safe to show and to send: one part of a path, without hidden characters."""

import unicodedata
from typing import Final

LONGEST_NAME: Final = 100
"""Characters."""
_LONGEST_ENDING: Final = 12


def tidy_name(name: str, otherwise: str = "file") -> str:
    """Returns the last part of the name, without control, formatting and unassigned characters, cut to a limit."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = (character for character in unicodedata.normalize("NFC", name) if unicodedata.category(character)[0] != "C")
    name = " ".join("".join(kept).split())
    if not name.strip(". "):
        return otherwise
    if len(name) <= LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > _LONGEST_ENDING:
        return name[: LONGEST_NAME - 1] + "…"
    return f"{stem[: LONGEST_NAME - len(ending) - 2]}….{ending}"
