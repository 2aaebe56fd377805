"""One call from its request upstream to its end: passed on to the program as it arrives, and booked before it ends."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property, partial
from typing import Final

from chatsite.failures.retrying import retry_until_saved
from gateway.dialects import DIALECTS, ReplyEncoder
from gateway.passing.pass_through import ClientBatch, PassThrough
from gateway.problems import Problem
from gateway.serving.admission import AdmittedCall
from gateway.serving.outgoing import Outgoing
from gateway.serving.threads import in_thread
from gateway.translation import TranslateReply
from ledger.booking import entries
from upstreams.client import LIMITS, RequestOrigin, stream_payload
from upstreams.client.attempts import repeat_until_content
from upstreams.endpoint import ProtocolName
from upstreams.errors import UpstreamError
from upstreams.events import ReplyEvent, SettingRefused
from upstreams.wire.tolerant_json import dump

logger = logging.getLogger(__name__)

# Programs retry by themselves, so they get a refusal with a longer wait at once.
PROGRAM_LIMITS: Final = replace(LIMITS, worth_waiting=2.0)
MAX_DROPPED_NAMES: Final = 100
"""Dropped fields that are named: many clients refuse headers of more than a few thousand characters."""
_THINKING_FIELD: Final = {ProtocolName.ANTHROPIC: "thinking", ProtocolName.OPENAI: "reasoning_effort"}
"""The field by which a program switches thinking off: all that an upstream may refuse without failing the call."""
SETTLE_WAIT: Final = 2.0
"""Seconds that the end of a reply waits for the ledger."""


class ProgramCall:
    """`beta` lists the beta features that the program asks for."""

    def __init__(self, admitted: AdmittedCall, out: Outgoing, beta: str) -> None:
        self._admitted, self._request, self._meter, self._out = admitted, admitted.request, admitted.meter, out
        self._beta = beta
        self._reading: asyncio.Task[None] | None = None
        """The task that reads the reply, until all of it is read."""
        self._cut: Problem | None = None
        self.has_left = False
        """Whether the program has left."""
        self._dialect = DIALECTS[self._request.protocol]
        self._name_dropped(admitted.dropped)

    def _name_dropped(self, fields: Sequence[str]) -> None:
        """Names fields that the upstream does not get, in a header that has not been sent yet."""
        if fields:
            self._out.headers["x-dropped-params"] = ",".join(fields[:MAX_DROPPED_NAMES])

    @property
    def key_pk(self) -> int:
        return self._admitted.key.pk

    @cached_property
    def _encoder(self) -> ReplyEncoder:
        return self._dialect.Encoder(self._request.model, self._request.wants_usage)

    def encode_ping(self) -> bytes:
        return self._encoder.encode_ping()

    async def run(self) -> None:
        """Answers the program. Cancelling it closes the connection to the upstream at once."""
        outcome, kind, problem, body = entries.Outcome.STOPPED, "", None, b""
        self._reading = task = asyncio.current_task()
        try:
            if self._request.is_streamed:
                await self._stream()
            else:
                body = await self._read_whole()
            outcome = entries.Outcome.COMPLETE
        except asyncio.CancelledError:
            # The program may leave with the end of the reply, before the upstream has closed its side.
            has_end = self._request.is_streamed and self._meter.facts.end is not None
            outcome = entries.Outcome.COMPLETE if has_end else entries.Outcome.STOPPED
            if self._cut is None or task is None or task.uncancel():
                raise
            problem = None if has_end else self._cut
        except UpstreamError as failure:
            outcome = entries.Outcome.BROKEN if self._meter.has_content else entries.Outcome.FAILED
            kind, problem = failure.kind, Problem.of(failure)
            logger.info("The call failed: %s, status %s", failure.kind, failure.status)
        except Exception:
            outcome, kind = entries.Outcome.FAILED, "internal"
            raise
        finally:
            self._reading = None
            # A program that has the end of a reply finds it in the ledger, unless the database is in trouble.
            await asyncio.wait([_start_settling(self._admitted, outcome, kind)], timeout=SETTLE_WAIT)
        await self._end(problem, body)

    def end(self, problem: Problem) -> None:
        """Stops reading the reply and tells the program why. Does nothing when the reply is complete."""
        if self._reading and self._cut is None:
            self._cut = problem
            self._reading.cancel()

    async def _end(self, problem: Problem | None, body: bytes) -> None:
        if problem and not self._out.status:
            raise problem
        if problem:
            await self._out.write(self._encoder.encode_failure(problem, self._request.id))
        if self._request.is_streamed:
            await self._out.end()
        else:
            await self._out.send_whole(body)

    async def _stream(self) -> None:
        write, count, beginning = self._out.write, self._meter.take, b""
        async with aclosing(self._batches()) as batches:
            async for batch in batches:
                count(batch.events)
                wire = batch.wire
                if not self._out.status:
                    # Without content the attempt may still fail, and the failure then needs a status of its own.
                    beginning += wire
                    wire = beginning if batch.has_content else b""
                if wire:
                    await write(wire)

    async def _read_whole(self) -> bytes:
        """The reply in one piece, even if it arrives as a stream."""
        wire: list[bytes] = []
        events: list[ReplyEvent] = []
        async with aclosing(self._batches()) as batches:
            async for batch in batches:
                self._meter.take(batch.events)
                wire.append(batch.wire)
                events += batch.events
        return b"".join(wire) or dump(self._dialect.render_reply(events, self._request.model))

    def _batches(self) -> AsyncGenerator[ClientBatch]:
        admitted = self._admitted
        if admitted.translate_reply:
            return self._translated_batches(admitted.translate_reply)

        def attempt() -> PassThrough:
            return PassThrough(
                admitted.endpoint,
                admitted.payload,
                PROGRAM_LIMITS,
                model=self._request.model,
                wants_usage=self._request.wants_usage,
                beta=self._beta,
            )

        return repeat_until_content(attempt, PROGRAM_LIMITS, lambda batch: self._meter.abandon(batch.events))

    async def _translated_batches(self, translate: TranslateReply) -> AsyncGenerator[ClientBatch]:
        """Their events are the upstream's, because translation may leave text out."""
        admitted, is_streamed, encode = self._admitted, self._request.is_streamed, self._encoder.feed
        reply = stream_payload(
            admitted.endpoint,
            admitted.payload,
            origin=RequestOrigin.TRANSLATION,
            limits=PROGRAM_LIMITS,
            abandoned=self._meter.abandon,
        )
        whole: list[ReplyEvent] = []
        async with aclosing(reply) as batches:
            async for arrived in batches:
                if any(isinstance(event, SettingRefused) for event in arrived):
                    self._name_dropped([*admitted.dropped, _THINKING_FIELD[self._request.protocol]])
                events = translate(arrived)
                if not is_streamed:
                    whole += events
                yield ClientBatch(encode(events) if is_streamed else b"", arrived)
        if not is_streamed:
            yield ClientBatch(dump(self._dialect.render_reply(whole, self._request.model)), ())


_settle_in_thread = in_thread(entries.settle)
settling: set[asyncio.Task[None]] = set()
"""Bookings that have not reached the database yet."""


def _start_settling(admitted: AdmittedCall, outcome: entries.Outcome, kind: str) -> asyncio.Task[None]:
    """The task continues when the call's own task is cancelled."""
    task = asyncio.get_running_loop().create_task(_settle(admitted, outcome, kind))
    settling.add(task)
    task.add_done_callback(settling.discard)
    return task


async def _settle(admitted: AdmittedCall, outcome: entries.Outcome, kind: str) -> None:
    await retry_until_saved(partial(_settle_in_thread, admitted.entry, admitted.meter, outcome, kind))
