"""Base URLs of model servers: their one spelling, what is wrong with them, and whose server they name (pure)."""

from typing import Final
from urllib.parse import urlsplit

from upstreams.endpoint import ProtocolName

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def tidied(url: str) -> str:
    """The address as it is stored: no blanks around it, no slash at its end."""
    return url.strip().rstrip("/")


def fault(
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


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port: whom a key sent to this address is shown to. None when it cannot be told."""
    try:
        parts = urlsplit(tidied(url))
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def same_origin(one: str, other: str) -> bool:
    """Whether both name one server; an address that cannot be read is like no other."""
    return origin(one) is not None and origin(one) == origin(other)


def host_and_port(url: str) -> str:
    """For people: "localhost:11434", and only the host where the port is the scheme's own."""
    parts = urlsplit(tidied(url))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port and parts.port != _DEFAULT_PORTS.get(parts.scheme) else host


def doubt(protocol: str, url: str) -> str:
    """A likely slip in the path, which some servers nevertheless want; "" when there is none."""
    last = urlsplit(tidied(url)).path.rpartition("/")[2]
    if protocol == ProtocolName.ANTHROPIC and last == "v1":
        return "Anthropic base URLs usually do not end in /v1, because every request adds it."
    if protocol == ProtocolName.OPENAI and not _is_version(last):
        return "OpenAI-compatible base URLs usually end in /v1. If the test fails, add it."
    return ""


def _is_version(segment: str) -> bool:
    return segment[:1] == "v" and segment[1:2].isdigit() or segment == "openai"
