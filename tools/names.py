"""The names by which models know tools: what the protocols take, one tool each, and the same for ever (pure)."""

import hashlib
import re
from collections.abc import Container
from itertools import count
from typing import Final

from django.utils.text import slugify

LONGEST: Final = 64
LONGEST_SLUG: Final = 24
_SEPARATOR: Final = "__"
_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")
_JOINTS: Final = re.compile(r"[_-]+")
_BUILT_IN: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def slug(name: str, taken: Container[str]) -> str:
    """What a server's tools begin with: no underscore in it, and nobody else's."""
    base = _JOINTS.sub("-", slugify(name)).strip("-")[:LONGEST_SLUG].strip("-") or "server"
    if base not in taken:
        return base
    return next(each for number in count(2) if (each := f"{base[: LONGEST_SLUG - 4]}-{number}") not in taken)


def wire_name(server_slug: str, name: str) -> str:
    """`slug__name`; a name that models do not take, or too long a one, is made fit and told apart by a hash."""
    fit = f"{server_slug}{_SEPARATOR}{_FOREIGN.sub('_', name)}"
    if fit == f"{server_slug}{_SEPARATOR}{name}" and len(fit) <= LONGEST:
        return fit
    mark = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{fit[: LONGEST - len(mark) - 1]}-{mark}"


def is_built_in(name: str) -> bool:
    """Whether a built-in tool may have the name: no tool of a server can, since theirs hold two underscores."""
    return len(name) <= LONGEST and bool(_BUILT_IN.fullmatch(name))
