"""Asking upstream servers for replies and for their models: the door to all calls."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence

from upstreams.call import Call
from upstreams.chat import ChatRequest
from upstreams.connection import ConnectionReport, ConnectionStep, list_models, test_connection
from upstreams.counting import count_tokens
from upstreams.endpoint import Endpoint
from upstreams.errors import UpstreamError
from upstreams.events import BlockClosed, BlockGrew, InputGrew, ReplyEnded, ReplyEvent
from upstreams.protocols.listings import ModelListing
from upstreams.transport import LIMITS, Limits, close_http

__all__ = [
    "LIMITS",
    "ConnectionReport",
    "ConnectionStep",
    "Limits",
    "ModelListing",
    "close_http",
    "count_tokens",
    "list_models",
    "stream_reply",
    "test_connection",
]


async def stream_reply(
    endpoint: Endpoint, request: ChatRequest, *, limits: Limits = LIMITS
) -> AsyncGenerator[Sequence[ReplyEvent]]:
    """The reply as it comes, in batches: each is all that has arrived since the last one was taken.

    It ends with ReplyEnded or raises an UpstreamError. Until the first content an
    attempt that failed is made again; afterwards what was yielded stands, and the
    failure is raised. Closing the generator, or cancelling the task that reads it,
    closes the connection at once, so that the upstream stops.
    """
    attempt = 0
    while True:
        held: list[ReplyEvent] = []
        has_content = False
        call = Call(endpoint, request, limits)
        try:
            await call.open()
            while (events := await call.read()) is not None:
                if not has_content:
                    held += events
                    if not any(isinstance(event, BlockGrew | InputGrew | BlockClosed | ReplyEnded) for event in events):
                        continue
                    has_content, events, held = True, held, []
                if events:
                    yield events
            return
        except UpstreamError as error:
            failure = error
        finally:
            await call.close()
        if has_content or not failure.retryable or attempt >= limits.retries:
            break
        await asyncio.sleep(_wait(failure, attempt, limits))
        attempt += 1
    if held:
        yield held
    raise failure


def _wait(failure: UpstreamError, attempt: int, limits: Limits) -> float:
    """Seconds until the next attempt."""
    if failure.retry_after is not None:
        return min(failure.retry_after, limits.longest_wait)
    jitter = random.uniform(0.75, 1.25)  # noqa: S311 (it only spreads the attempts)
    return limits.backoff * float(2**attempt) * jitter
