"""The HTTP transport of each event loop, and network failures in words for people."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp.transport import map_aiohttp_exceptions

from upstreams.client.body_stream import BodyStream
from upstreams.client.clocks import note_date
from upstreams.endpoint import Endpoint
from upstreams.errors import Stalled, Unreachable


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes unless noted."""

    connect: float = 10.0
    """The limit for opening a connection: name look-up, TCP and TLS."""
    idle: float = 120.0
    """Between two bytes; comments and pings count."""
    stall: float = 900.0
    """Between two pieces of content, although comments or pings keep coming."""
    whole: float = 3600.0
    listing: float = 30.0
    event_size: int = 32 * 1024 * 1024
    """An image arrives in one event."""
    text_size: int = 8 * 1024 * 1024
    """Characters of one reply, without those of its images."""
    image_size: int = 64 * 1024 * 1024
    """Characters of all images of one reply, which are a third more than their bytes."""
    body_size: int = 64 * 1024 * 1024
    """A reply in one piece."""
    listing_size: int = 16 * 1024 * 1024
    """A list of models."""
    error_size: int = 64 * 1024
    retries: int = 2
    backoff: float = 0.5
    longest_wait: float = 60.0
    """The longest `retry-after` that is respected."""
    worth_waiting: float = float("inf")
    """If the upstream asks for a longer wait, the call is not repeated and the caller gets the failure."""
    farewell: float = 0.1
    """The wait for the end of the HTTP body after the end of a reply. Only then can the connection be reused."""


LIMITS: Final = Limits()

_HEADERS: Final = {"user-agent": "chatsite", "accept-encoding": "identity"}
_WORDS: Final = {
    "address": ("The base URL of {name} is not valid.", "correct it under Providers"),
    "name": ("The host name of {name} could not be resolved.", "check the base URL and the network"),
    "connect": ("Could not connect to {name}.", "check the base URL, and that the server is running"),
    "tls": ("The secure connection to {name} failed: its certificate is not trusted.", "check it"),
    "timeout": ("{name} did not accept the connection in time. Try again.", "check the network"),
    "dropped": ("{name} closed the connection without responding. Try again in a moment.", ""),
}
"""By step, what happened and the advice for administrators."""


_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}


def get_session() -> aiohttp.ClientSession:
    """Returns the running loop's session, which keeps connections open for reuse.

    It connects directly: no proxy from the environment, no cookies, no redirects
    (they would carry the key along), no limit on connections.
    """
    loop = asyncio.get_running_loop()
    if loop not in _sessions:
        for closed in [known for known in _sessions if known.is_closed()]:
            del _sessions[closed]
        _sessions[loop] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=get_tls_context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=LIMITS.connect, sock_connect=LIMITS.connect),
        )
    return _sessions[loop]


async def close_transport() -> None:
    """Closes all connections of the running loop."""
    if session := _sessions.pop(asyncio.get_running_loop(), None):
        await session.close()


async def send(
    endpoint: Endpoint, method: str, path: str, headers: dict[str, str], *, until: float, body: bytes | None = None
) -> httpx.Response:
    """Returns the response with its body unread; the caller reads and closes it.

    `until` is the loop's time at which the wait for the answer ends. Raises
    Unreachable or Stalled; neither of them nor their contexts hold the request.
    """
    failure: Unreachable | Stalled
    try:
        url = _build_url(endpoint.base_url, path)
        # aiohttp takes the request as it is: to build one of httpx first would take almost as long as to send it.
        with map_aiohttp_exceptions():
            async with asyncio.timeout_at(until):
                response = await get_session().request(
                    method, url, headers=_HEADERS | headers, data=body, allow_redirects=False
                )
        note_date(response.headers.get("Date"))
        return httpx.Response(response.status, headers=response.raw_headers, stream=BodyStream(response))
    except TimeoutError:
        failure = Stalled(f"{endpoint.name} did not start responding in time. Try again, or choose another model.")
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
        failure = build_unreachable(endpoint, error)
    raise failure


def build_unreachable(endpoint: Endpoint, error: Exception) -> Unreachable:
    step = _find_failed_step(error)
    words, advice = _WORDS[step]
    is_temporary = step not in ("address", "tls")
    failure = Unreachable(words.format(name=endpoint.name), advice=advice, retryable=is_temporary)
    failure.step = step
    return failure


async def read_at_most(chunks: AsyncIterator[bytes], size: int) -> tuple[bytes, bool]:
    """Returns the first `size` bytes of a body, and whether they are all of it. A broken connection ends it."""
    parts, length = [], 0
    try:
        async for chunk in chunks:
            parts.append(chunk)
            length += len(chunk)
            if length > size:
                break
    except httpx.HTTPError:
        return b"".join(parts)[:size], False
    return b"".join(parts)[:size], length <= size


@cache
def get_tls_context() -> ssl.SSLContext:
    # Use the system's certificates rather than a bundled list: an intranet adds its own authority there.
    return ssl.create_default_context()


@lru_cache(256)
def _build_url(base_url: str, path: str) -> str:
    base = base_url.strip()
    url = httpx.URL(base.rstrip("/") + path)
    if len(base.split()) != 1 or url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise httpx.InvalidURL("not an http or https address")
    return str(url)


def _find_failed_step(error: Exception) -> str:
    """Returns the step that failed. httpx only reports "connect", but the exceptions behind it say more."""
    match error.__cause__ or error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | aiohttp.InvalidURL():
            return "address"
        case aiohttp.ClientConnectorDNSError():
            return "name"
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch() | ssl.SSLError():
            return "tls"
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorError():
            return "connect"
        case aiohttp.ClientConnectionError() | OSError() | aiohttp.ClientError() | httpx.HTTPError():
            return "dropped"
    return "address"
