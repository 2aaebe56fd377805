"""Calls upstream servers, for replies and for their models. All calls go through here."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from upstreams.chat import ChatRequest
from upstreams.client.attempts import repeat_until_content
from upstreams.client.call import Call
from upstreams.client.concessions import RequestOrigin
from upstreams.client.connection import ConnectionReport, ConnectionStep, list_models, test_connection
from upstreams.client.counting import count_tokens
from upstreams.client.transport import LIMITS, Limits, close_transport
from upstreams.endpoint import Endpoint
from upstreams.events import ReplyEvent
from upstreams.protocols import PROTOCOLS
from upstreams.protocols.listings import ModelListing

__all__ = [
    "LIMITS",
    "ConnectionReport",
    "ConnectionStep",
    "Limits",
    "ModelListing",
    "RequestOrigin",
    "close_transport",
    "count_tokens",
    "list_models",
    "stream_payload",
    "stream_reply",
    "test_connection",
]


def stream_reply(
    endpoint: Endpoint,
    request: ChatRequest,
    *,
    limits: Limits = LIMITS,
    abandoned: Callable[[Sequence[ReplyEvent]], None] | None = None,
    is_gathering: bool = False,
) -> AsyncGenerator[Sequence[ReplyEvent]]:
    """Yields the reply in batches. Each has all that has arrived since the previous one.

    It ends with ReplyEnded or raises an UpstreamError. An attempt that fails before any content is repeated; after
    that, the failure is raised. Closing the generator, or cancelling the task that reads it, closes the connection at
    once, so that the upstream stops. `abandoned` receives the events of each abandoned attempt, which include its
    usage. `is_gathering` makes batches cheaper for a reader that sleeps between them (see BodyStream).
    """

    def attempt() -> Call:
        payload = PROTOCOLS[endpoint.protocol].payload(request, endpoint)
        return Call(endpoint, payload, limits, is_gathering=is_gathering, origin=RequestOrigin.SITE)

    return repeat_until_content(attempt, limits, abandoned)


def stream_payload(
    endpoint: Endpoint,
    payload: Mapping[str, Any],
    *,
    origin: RequestOrigin = RequestOrigin.PROGRAM,
    limits: Limits = LIMITS,
    abandoned: Callable[[Sequence[ReplyEvent]], None] | None = None,
) -> AsyncGenerator[Sequence[ReplyEvent]]:
    """Like `stream_reply`, for a program's request in the endpoint's protocol. The reply may be empty."""

    def attempt() -> Call:
        return Call(endpoint, payload, limits, may_be_empty=True, origin=origin)

    return repeat_until_content(attempt, limits, abandoned)
