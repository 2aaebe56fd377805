"""Tests a provider: lists its models, or explains why it cannot be reached."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

import httpx

from upstreams.client.transport import LIMITS, Limits, read_at_most, send
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import (
    AuthenticationFailed,
    BrokenStream,
    InvalidRequest,
    NotAModelServer,
    PermissionRefused,
    ReplyTooLarge,
    Stalled,
    UnknownModel,
    Unreachable,
    UpstreamError,
)
from upstreams.protocols import PROTOCOLS
from upstreams.protocols.listings import ModelListing
from upstreams.protocols.refusals import read_refusal

_PAGE: Final = 1000
_MOST_PAGES: Final = 50


class ConnectionStep(StrEnum):
    """The step at which a test ended. All but the last two are failures."""

    ADDRESS = "address"
    NAME = "name"
    CONNECT = "connect"
    TLS = "tls"
    AUTHENTICATION = "authentication"
    SERVER = "server"
    """A server responded, but it is not a model server, or it is failing."""
    LISTING = "listing"
    """The server works, but does not list its models."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """The result of a connection test. `message` is for administrators."""

    ok: bool
    step: ConnectionStep
    message: str
    models: int = 0
    detail: str = ""


async def list_models(endpoint: Endpoint, *, limits: Limits = LIMITS) -> list[ModelListing]:
    """Returns all models that the server offers, in its order. Raises an UpstreamError."""
    until = asyncio.get_running_loop().time() + limits.listing
    protocol = PROTOCOLS[endpoint.protocol]
    found: dict[str, ModelListing] = {}
    query: dict[str, str | int] = {"limit": _PAGE} if endpoint.protocol is ProtocolName.ANTHROPIC else {}
    for _ in range(_MOST_PAGES):
        path = protocol.MODELS_PATH + (f"?{urlencode(query)}" if query else "")
        page = protocol.read_models(await _get(endpoint, path, until, limits), endpoint)
        new = {model.id: model for model in page.models if model.id not in found}
        found |= new
        # A server that ignores `after_id` sends the same page forever.
        if not page.next_after or not new:
            break
        query["after_id"] = page.next_after
    return list(found.values())


async def test_connection(endpoint: Endpoint, *, limits: Limits = LIMITS) -> ConnectionReport:
    """Requests the list of models and reports the result in words. Costs no tokens."""
    try:
        models = len(await list_models(endpoint, limits=limits))
    except (UnknownModel, InvalidRequest) as missing:
        return await _test_without_listing(endpoint, missing, limits)
    except UpstreamError as failure:
        return _report_failure(failure)
    word = "model" if models == 1 else "models"
    return ConnectionReport(True, ConnectionStep.DONE, f"{endpoint.name} responds and offers {models} {word}.", models)


async def _test_without_listing(endpoint: Endpoint, missing: UpstreamError, limits: Limits) -> ConnectionReport:
    """Sends an empty request, to tell a server without a list of models from a wrong address."""
    protocol = PROTOCOLS[endpoint.protocol]
    until = asyncio.get_running_loop().time() + limits.listing
    try:
        status, headers, body = await _fetch(endpoint, "POST", protocol.PATH, until, limits.error_size, b"{}")
    except UpstreamError as failure:
        return _report_failure(failure)
    if status not in (400, 422):
        answer = read_refusal(endpoint, status, headers, body)
        is_elsewhere = status < 400 or isinstance(answer, UnknownModel | InvalidRequest)
        return _report_failure(NotAModelServer.at(endpoint.name, detail=missing.detail) if is_elsewhere else answer)
    message = f"{endpoint.name} responds, but does not list its models. Add them by hand."
    return ConnectionReport(True, ConnectionStep.LISTING, message)


def _report_failure(failure: UpstreamError) -> ConnectionReport:
    match failure:
        case AuthenticationFailed() | PermissionRefused():
            step = ConnectionStep.AUTHENTICATION
        case Unreachable(step=("address" | "name" | "tls") as name):
            step = ConnectionStep(name)
        case Unreachable() | Stalled():
            step = ConnectionStep.CONNECT
        case _:
            step = ConnectionStep.SERVER
    return ConnectionReport(False, step, failure.summary, detail=failure.detail)


async def _get(endpoint: Endpoint, path: str, until: float, limits: Limits) -> bytes:
    status, headers, body = await _fetch(endpoint, "GET", path, until, limits.listing_size)
    if not 200 <= status < 300:
        raise read_refusal(endpoint, status, headers, body)
    return body


async def _fetch(
    endpoint: Endpoint, method: str, path: str, until: float, size: int, body: bytes | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    headers = PROTOCOLS[endpoint.protocol].headers(endpoint, stream=False)
    response = await send(endpoint, method, path, headers, until=until, body=body)
    try:
        async with asyncio.timeout_at(until):
            answer, is_complete = await read_at_most(response.aiter_bytes(), size)
    except TimeoutError:
        raise Stalled.at(endpoint.name) from None
    finally:
        with suppress(httpx.HTTPError):
            await response.aclose()
    if not is_complete and response.is_success:
        raise (ReplyTooLarge if len(answer) == size else BrokenStream).at(endpoint.name)
    return response.status_code, response.headers, answer
