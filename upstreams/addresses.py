"""Base URLs of model servers: their stored form, what is wrong with them, and their origin (pure)."""

from typing import Final
from urllib.parse import urlsplit

from upstreams.endpoint import ProtocolName

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def normalize(url: str) -> str:
    """The address in its stored form, without surrounding white space or a trailing slash."""
    return url.strip().rstrip("/")


def find_fault(
    url: str, *, example: str = "https://models.example:8080/v1", secrets: str = "Enter the key in its own field."
) -> str:
    """Why the address is unusable, in words for people; "" if it is usable.

    `secrets` says where the form takes what an address must not contain.
    """
    try:
        parts = urlsplit(url)
        # The property raises on an invalid port.
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"Enter an address such as {example}."
    if parts.scheme not in _DEFAULT_PORTS:
        return "The address must start with https:// or http://."
    if not host or any(character.isspace() or not character.isprintable() for character in url):
        return f"Enter an address such as {example}."
    if "@" in parts.netloc:
        return f"Remove the user name and password from the address. {secrets}"
    if "?" in url or "#" in url:
        return "Remove everything from “?” or “#” onwards."
    return ""


def parse_origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port, or None if the address is not valid. A key may only be sent to the origin it is for."""
    try:
        parts = urlsplit(normalize(url))
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def have_same_origin(one: str, other: str) -> bool:
    """Whether both addresses are at one origin. An invalid address never is."""
    return parse_origin(one) is not None and parse_origin(one) == parse_origin(other)


def find_doubt(protocol: str, url: str) -> str:
    """A warning about a path that is probably wrong, although some servers need it; "" if there is none."""
    last = urlsplit(normalize(url)).path.rpartition("/")[2]
    if protocol == ProtocolName.ANTHROPIC and last == "v1":
        return "Anthropic base URLs usually do not end in /v1, because every request adds it."
    if protocol == ProtocolName.OPENAI and not _is_version(last):
        return "OpenAI-compatible base URLs usually end in /v1. If the test fails, add it."
    return ""


def _is_version(segment: str) -> bool:
    return segment[:1] == "v" and segment[1:2].isdigit() or segment == "openai"
