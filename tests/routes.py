"""Every address of the site, from its URL resolver."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver


def routes() -> list[str]:
    """Every route, such as `conversations/<int:pk>/stop/`."""
    return list(_within(get_resolver().url_patterns, ""))


def _within(patterns: list[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _within(pattern.url_patterns, route)
        else:
            assert isinstance(pattern, URLPattern)
            yield route


def address(route: str, keys: Mapping[str, object]) -> str:
    """Fills in the placeholders of a route, including the regular expressions of the administration."""
    plain = re.sub(r"\^?\(\?P<(\w+)>[^)]*\)", r"<\1>", route).replace("$", "").replace("^", "")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda placeholder: str(keys[placeholder[1]]), plain)
