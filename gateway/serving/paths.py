"""The paths of the API for programs, and what is wrong with a path that it does not have."""

import re
from typing import Final

from gateway.problems import shorten
from upstreams.endpoint import ProtocolName

PREFIX: Final = "/v1"
_NAMED: Final = "/v1/messages, /v1/messages/count_tokens, /v1/chat/completions and /v1/models"
_ENDPOINTS: Final = ("/messages/count_tokens", "/messages", "/chat/completions", "/models")
_OTHER_APIS: Final = ("/responses", "/completions", "/embeddings")
"""What programs ask for that the site does not serve. Without /v1, no page of the site has these paths either."""
_NO_RESPONSES: Final = (
    "This site does not serve the Responses API. Set the client to use Chat Completions (/v1/chat/completions) or "
    "Messages (/v1/messages). A client that supports only the Responses API cannot use this site."
)
_PREFIXES: Final = re.compile(rf"(?:{PREFIX}(?=/|\Z))*")
_SLASHES: Final = re.compile("//+")
_ANY_ENDPOINT: Final = "|".join(_ENDPOINTS)
_TWO_ENDPOINTS: Final = re.compile(rf"(?:{_ANY_ENDPOINT})(?:{PREFIX})*({_ANY_ENDPOINT})")
"""The path of an endpoint behind a base URL that is itself the address of an endpoint."""


def is_for_programs(path: str) -> bool:
    """Whether the API answers this path: one of its own, or one that lacks the /v1 in front."""
    path = _tidy(path)
    return _is_within(path, PREFIX) or path in _ENDPOINTS or any(_is_within(path, f) for f in ("/models", *_OTHER_APIS))


def explain_unknown_path(path: str) -> str:
    """Says what to use instead of a path that does not exist."""
    tidy = _tidy(path)
    asked = _strip_prefixes(tidy)
    if _is_within(asked, "/responses"):
        return _NO_RESPONSES
    if other := next((each for each in _OTHER_APIS if _is_within(asked, each)), ""):
        return f"This site does not serve {PREFIX}{other}. It serves {_NAMED}."
    if asked in _ENDPOINTS or asked.startswith("/models/"):
        return shorten(f"This path does not exist. Use {PREFIX}{asked}: {_find_fault(path, tidy)}.")
    if twice := _TWO_ENDPOINTS.fullmatch(asked):
        fault = "remove the endpoint from the base URL"
        return f"This path does not exist. Use {PREFIX}{twice[1]}: {fault}."
    return f"This path does not exist. This site serves {_NAMED}."


def _find_fault(path: str, tidy: str) -> str:
    if not _is_within(tidy, PREFIX):
        return "add /v1 to the base URL"
    if _is_within(tidy, PREFIX * 2):
        return "remove /v1 from the base URL"
    return "remove the slash at the end" if path.endswith("/") else "remove the second slash"


def find_protocol(path: str) -> ProtocolName | None:
    """The protocol that a path belongs to, even if the path does not exist; None if it may be either."""
    asked = _strip_prefixes(_tidy(path))
    if asked.startswith("/messages"):
        return ProtocolName.ANTHROPIC
    return ProtocolName.OPENAI if asked.startswith(("/chat/", *_OTHER_APIS)) else None


def _tidy(path: str) -> str:
    """The path with single slashes, and none at the end."""
    return _SLASHES.sub("/", path).rstrip("/")


def _strip_prefixes(path: str) -> str:
    return _PREFIXES.sub("", path, count=1)


def _is_within(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}/")
