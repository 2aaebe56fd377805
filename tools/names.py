"""The names by which models know tools: valid in both protocols, unique, and stable (pure)."""

import hashlib
import re
from collections.abc import Container
from itertools import count
from typing import Final

from django.utils.text import slugify

MAX_LENGTH: Final = 64
MAX_SLUG_LENGTH: Final = 24
_SEPARATOR: Final = "__"
_INVALID: Final = re.compile(r"[^a-zA-Z0-9_-]")
_HYPHENS: Final = re.compile(r"[_-]+")
_BUILTIN_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def unique_slug(name: str, taken: Container[str]) -> str:
    """The prefix of a server's tools: without underscores, and different from every slug in `taken`."""
    base = _HYPHENS.sub("-", slugify(name)).strip("-")[:MAX_SLUG_LENGTH].strip("-") or "server"
    if base not in taken:
        return base
    return next(each for number in count(2) if (each := f"{base[: MAX_SLUG_LENGTH - 4]}-{number}") not in taken)


def wire_name(server_slug: str, name: str) -> str:
    """`slug__name`. A name that is too long or has invalid characters is changed and made unique by a hash."""
    valid = f"{server_slug}{_SEPARATOR}{_INVALID.sub('_', name)}"
    if valid == f"{server_slug}{_SEPARATOR}{name}" and len(valid) <= MAX_LENGTH:
        return valid
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{valid[: MAX_LENGTH - len(digest) - 1]}-{digest}"


def is_builtin_name(name: str) -> bool:
    """Whether a built-in tool may have the name. It has no double underscore, so no `slug__name` can equal it."""
    return len(name) <= MAX_LENGTH and bool(_BUILTIN_NAME.fullmatch(name))
