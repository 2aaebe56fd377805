"""Asks an upstream how many tokens a request has."""

import asyncio
from contextlib import suppress
from typing import Any, Final

import httpx
import orjson

from upstreams.chat import ChatRequest
from upstreams.client.transport import read_at_most, send
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError
from upstreams.protocols import PROTOCOLS
from upstreams.protocols.token_counts import read_count
from upstreams.wire.tolerant_json import dump

PATH: Final = "/v1/messages/count_tokens"
PATIENCE: Final = 10.0
"""Seconds. After that, we use an estimate."""
LARGEST: Final = 8 * 1024 * 1024
"""Bytes. A larger request is not sent just to be counted."""
_LARGEST_ANSWER: Final = 64 * 1024
_COUNTED: Final = ("model", "messages", "system", "tools", "tool_choice", "thinking")
_MISSING: Final = (404, 405, 501)

_counts_nothing: Final[set[tuple[str, str]]] = set()
"""Base URLs and models whose server does not count. Each process learns them itself."""


async def count_tokens(endpoint: Endpoint, request: ChatRequest) -> int | None:
    """Returns the tokens of the request by the upstream's count; None if it gives no count, for any reason."""
    asked = (endpoint.base_url, request.model)
    if endpoint.protocol is not ProtocolName.ANTHROPIC or asked in _counts_nothing:
        return None
    protocol = PROTOCOLS[endpoint.protocol]
    body = protocol.payload(request, endpoint)
    wanted = dump({name: body[name] for name in _COUNTED if name in body})
    if len(wanted) > LARGEST:
        return None
    until = asyncio.get_running_loop().time() + PATIENCE
    try:
        headers = protocol.headers(endpoint, stream=False)
        response = await send(endpoint, "POST", PATH, headers, until=until, body=wanted)
    except UpstreamError:
        return None
    try:
        async with asyncio.timeout_at(until):
            answer, is_whole = await read_at_most(response.aiter_bytes(), _LARGEST_ANSWER)
    except TimeoutError:
        return None
    finally:
        with suppress(httpx.HTTPError):
            await response.aclose()
    if response.status_code in _MISSING:
        _counts_nothing.add(asked)
    return count_in(answer) if response.is_success and is_whole else None


def count_in(answer: bytes) -> int | None:
    """Returns the count in an answer; None if there is none."""
    try:
        said: Any = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    return read_count(said.get("input_tokens")) if isinstance(said, dict) else None
