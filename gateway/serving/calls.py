"""A call's life: asked upstream, told to the client as it comes, and booked before its end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson
from django.db import DatabaseError

from chatsite.retrying import retry_until_saved
from gateway.dialects import DIALECTS
from gateway.passing.pass_through import Passed, PassThrough
from gateway.problems import Problem
from gateway.serving.admission import Admitted
from gateway.serving.outgoing import Outgoing
from gateway.serving.threads import in_thread
from ledger.booking import entries
from upstreams.client import LIMITS, stream_payload
from upstreams.client.attempts import persistent
from upstreams.errors import UpstreamError
from upstreams.events import ReplyEvent

logger = logging.getLogger(__name__)

# Programs have patience of their own: who is to wait for longer than this is told so.
PATIENT: Final = replace(LIMITS, worth_waiting=2.0)
MOST_NAMED: Final = 100
"""Fields that were left out and are named: many clients read no header of more than some thousand characters."""
BOOKING: Final = 2.0
"""Seconds for which the end of an answer waits for its being booked."""
BOOKINGS: Final = 6
"""Attempts to book a call."""


class ProgramCall:
    def __init__(self, admitted: Admitted, out: Outgoing, beta: str) -> None:
        self._admitted, self._asked, self._meter, self._out = admitted, admitted.asked, admitted.meter, out
        self._beta = beta
        self._dialect = DIALECTS[admitted.asked.protocol]
        self._encoder = self._dialect.Encoder(self._asked.model, admitted.wants_usage)
        if admitted.dropped:
            out.headers["x-dropped-params"] = ",".join(admitted.dropped[:MOST_NAMED])

    @property
    def ping(self) -> bytes:
        return self._encoder.ping()

    async def run(self) -> None:
        """Answers the client; cancelled when it has left. The upstream is left at once in any case."""
        outcome, kind, problem, body = entries.Outcome.STOPPED, "", None, b""
        try:
            if self._asked.is_streamed:
                await self._stream()
            else:
                body = await self._whole()
            outcome = entries.Outcome.COMPLETE
        except UpstreamError as failure:
            outcome = entries.Outcome.BROKEN if self._meter.has_content else entries.Outcome.FAILED
            kind, problem = failure.kind, Problem.of(failure)
            logger.info("%s: %s %s", self._asked.request_id, failure.kind, failure.detail)
        except Exception:
            outcome, kind = entries.Outcome.FAILED, "internal"
            raise
        finally:
            # Whoever has the end of an answer finds it booked, unless the database is in trouble.
            await asyncio.wait([_booking_of(self._admitted, outcome, kind)], timeout=BOOKING)
        await self._end(problem, body)

    async def _end(self, problem: Problem | None, body: bytes) -> None:
        if problem and not self._out.status:
            raise problem
        if problem:
            await self._out.write(self._encoder.failure(problem, self._asked.request_id))
        if self._asked.is_streamed:
            await self._out.end()
        else:
            await self._out.whole(body)

    async def _stream(self) -> None:
        write, take, beginning = self._out.write, self._meter.take, b""
        async with aclosing(self._passed()) as batches:
            async for passed in batches:
                take(passed.events)
                wire = passed.wire
                if not self._out.status:
                    # A mere beginning waits: it may be all that there is of an attempt that failed with a status.
                    beginning += wire
                    wire = beginning if passed.has_content else b""
                if wire:
                    await write(wire)

    async def _whole(self) -> bytes:
        """The answer in one piece, whichever way it came."""
        wire: list[bytes] = []
        events: list[ReplyEvent] = []
        async with aclosing(self._passed()) as batches:
            async for passed in batches:
                self._meter.take(passed.events)
                wire.append(passed.wire)
                events += passed.events
        return b"".join(wire) or orjson.dumps(self._dialect.whole(events, self._asked.model))

    def _passed(self) -> AsyncGenerator[Passed]:
        admitted = self._admitted
        if not admitted.is_verbatim:
            return self._translated()

        def attempt() -> PassThrough:
            return PassThrough(
                admitted.endpoint,
                admitted.payload,
                PATIENT,
                model=self._asked.model,
                wants_usage=admitted.wants_usage,
                beta=self._beta,
            )

        return persistent(attempt, PATIENT, lambda passed: self._meter.abandon(passed.events))

    async def _translated(self) -> AsyncGenerator[Passed]:
        admitted, is_streamed, encode = self._admitted, self._asked.is_streamed, self._encoder.feed
        events = stream_payload(admitted.endpoint, admitted.payload, limits=PATIENT, abandoned=self._meter.abandon)
        async with aclosing(events) as batches:
            async for batch in batches:
                yield Passed(encode(batch) if is_streamed else b"", batch)


_book = in_thread(entries.settle)
_bookings: set[asyncio.Task[None]] = set()
_running: set[asyncio.Future[Any]] = set()


def _booking_of(admitted: Admitted, outcome: entries.Outcome, kind: str) -> asyncio.Task[None]:
    """Goes on also when the call's own task is cancelled."""
    task = asyncio.get_running_loop().create_task(_booked(admitted, outcome, kind))
    _bookings.add(task)
    task.add_done_callback(_bookings.discard)
    return task


async def _booked(admitted: Admitted, outcome: entries.Outcome, kind: str) -> None:
    request_id = admitted.asked.request_id

    def note_failure() -> None:
        logger.warning("%s could not be booked yet", request_id, exc_info=True)

    book = partial(_book, admitted.entry, admitted.meter, outcome, kind)
    try:
        await retry_until_saved(book, on_failure=note_failure, attempts=BOOKINGS)
    except DatabaseError:
        logger.exception("%s was not booked; it will be at the next start, as an estimate", request_id)


async def wind_down() -> None:
    """For the end of the process: lets running answers end by themselves, for as long as it is not cancelled."""
    while _running or _bookings:
        await asyncio.wait(_running | _bookings)


async def while_there(work: Awaitable[Any], others: Sequence[Awaitable[Any]]) -> None:
    """The work to its end, unless one of the others comes to its own before: then it is cancelled."""
    working = asyncio.ensure_future(work)
    _running.add(working)
    working.add_done_callback(_running.discard)
    waiting = [asyncio.ensure_future(each) for each in others]
    try:
        await asyncio.wait((working, *waiting), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, *waiting):
            task.cancel()
        await asyncio.gather(working, *waiting, return_exceptions=True)
