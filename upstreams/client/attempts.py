"""Repeats a failed call as long as no content of the reply has arrived."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from typing import Final, Protocol, Self

from prometheus_client import Counter

from upstreams.client.transport import Limits
from upstreams.errors import UpstreamError

ERRORS: Final = Counter("chatsite_upstream_errors", "Failed attempts to get a reply, by kind.", ["kind"])


class Batch(Protocol):
    """Everything that has arrived since the last read: a list of events, or bytes."""

    def __len__(self) -> int: ...

    def __add__(self, later: Self, /) -> Self: ...


class Attempt[B: Batch](Protocol):
    @property
    def has_content(self) -> bool: ...

    async def open(self) -> None: ...

    async def read(self) -> B | None: ...

    async def close(self) -> None: ...


async def repeat_until_content[B: Batch](
    attempt: Callable[[], Attempt[B]], limits: Limits, abandoned: Callable[[B], None] | None = None
) -> AsyncGenerator[B]:
    """Yields what the attempts receive. Each batch has all that has arrived since the previous one.

    An attempt that fails before any content is repeated; after that, the failure is raised. Closing the generator, or
    cancelling the task that reads it, closes the connection at once, so that the upstream stops. `abandoned` receives
    what an attempt had read before another one replaced it.
    """
    made = 0
    while True:
        held: B | None = None
        has_content = False
        call = attempt()
        try:
            await call.open()
            while (batch := await call.read()) is not None:
                if not has_content:
                    batch = batch if held is None else held + batch
                    if not call.has_content:
                        held = batch
                        continue
                    has_content, held = True, None
                if batch:
                    yield batch
            return
        except UpstreamError as error:
            failure = error
            ERRORS.labels(error.kind).inc()
        finally:
            await call.close()
        wait = _wait(failure, made, limits)
        if has_content or wait is None:
            break
        if abandoned and held:
            abandoned(held)
        await asyncio.sleep(wait)
        made += 1
    if held:
        yield held
    raise failure


def _wait(failure: UpstreamError, made: int, limits: Limits) -> float | None:
    """Returns the seconds until the next attempt; None if there is none."""
    if not failure.retryable or made >= limits.retries:
        return None
    if failure.retry_after is not None:
        if failure.retry_after > limits.worth_waiting:
            return None
        return min(failure.retry_after, limits.longest_wait)
    jitter = random.uniform(0.75, 1.25)  # noqa: S311 (it only spreads the attempts)
    return limits.backoff * float(2**made) * jitter
