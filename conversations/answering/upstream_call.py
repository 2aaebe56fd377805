"""A reply's upstream calls. Each is relayed to viewers and booked, however it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import Sum
from django.utils.timezone import now

from conversations.answering.images import AnswerImages
from conversations.answering.pacing import paced
from conversations.answering.permission import require_claim, require_permission
from conversations.answering.relay import Relay
from conversations.answering.saving import Saver
from conversations.models import Generation, GenerationCall, Message
from ledger import token_estimates
from ledger.booking import entries
from ledger.booking.entries import Caller, CallSource, Outcome
from ledger.booking.meter import Meter
from ledger.models import Entry
from upstreams.chat import ChatRequest
from upstreams.client import stream_reply
from upstreams.endpoint import Endpoint
from upstreams.errors import UpstreamError
from upstreams.protocols import PROTOCOLS

LONGEST_ANSWER: Final = timedelta(hours=1)
"""An answer with tools makes several calls. For this long, request limits do not interrupt it."""


class UpstreamCalls:
    """The upstream calls of one reply, in sequence. Each begins once the previous one is booked."""

    def __init__(self, relay: Relay, saver: Saver) -> None:
        self._relay, self._saver = relay, saver
        self._images = AnswerImages(relay)
        self._settling: asyncio.Task[None] | None = None
        """The booking of the last call. Viewers see the end of the reply before it is done."""

    async def carry(self, endpoint: Endpoint, request: ChatRequest) -> None:
        """Calls the upstream and relays its events. Raises Revoked, AskerGone, ModelOff or CallRefused instead."""
        async with self._booked(endpoint, request) as meter:
            events = stream_reply(endpoint, request, abandoned=meter.abandon, is_gathering=True)
            try:
                async with aclosing(paced(events)) as batches:
                    async for batch in batches:
                        meter.take(batch)
                        async for shown in self._images.take(batch):
                            self._relay.carry(shown)
            finally:
                async for shown in self._images.end():
                    self._relay.carry(shown)

    async def until_settled(self) -> None:
        """Waits until all calls so far are booked."""
        if self._settling:
            await asyncio.wait([self._settling])
            self._settling = None

    @asynccontextmanager
    async def _booked(self, endpoint: Endpoint, request: ChatRequest) -> AsyncIterator[Meter]:
        """Opens the call's entry in the ledger, and settles it at the end of the block."""
        await self.until_settled()
        meter = Meter(token_estimates.estimate_prompt(request))
        opening = asyncio.create_task(self._open(meter, PROTOCOLS[endpoint.protocol].output_limit(request)))
        outcome, error_kind = Outcome.BROKEN, "internal"
        try:
            # A stop must not cancel this task, because its thread writes the entry anyway.
            await asyncio.shield(opening)
            yield meter
            outcome, error_kind = Outcome.COMPLETE, ""
        except asyncio.CancelledError:
            outcome, error_kind = (Outcome.STOPPED if self._relay.is_stopped else Outcome.BROKEN), ""
            raise
        except UpstreamError as failure:
            outcome, error_kind = (Outcome.BROKEN if meter.has_content else Outcome.FAILED), failure.kind
            raise
        finally:
            self._settling = asyncio.create_task(self._settle(opening, meter, outcome, error_kind))

    async def _open(self, meter: Meter, max_tokens: int | None) -> Entry:
        open_entry = partial(begin_call, self._relay.generation, meter.prompt_tokens, max_tokens)
        return await self._saver.write(self._relay.generation.conversation_id, open_entry)

    async def _settle(self, opening: asyncio.Task[Entry], meter: Meter, outcome: Outcome, error_kind: str) -> None:
        await asyncio.wait([opening])
        if opening.exception() is None:
            settle = partial(entries.settle, opening.result(), meter, outcome, error_kind)
            await self._saver.write(self._relay.generation.conversation_id, settle)


@transaction.atomic
def begin_call(generation: Generation, prompt_tokens: int, max_tokens: int | None) -> Entry:
    """Begins an entry and links it to the generation. Raises Revoked, AskerGone, ModelOff or CallRefused."""
    require_claim(generation)
    require_permission(generation)
    assert generation.chat_model is not None
    entry = entries.begin(
        Caller(generation.asked_by, CallSource.CONVERSATION, str(generation.pk)),
        generation.chat_model,
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        is_follow_up=partial(has_recent_call, generation),
    )
    GenerationCall.objects.create(entry=entry, generation=generation)
    return entry


def has_recent_call(generation: Generation) -> bool:
    recent = GenerationCall.objects.filter(generation=generation, entry__started_at__gt=now() - LONGEST_ANSWER)
    return recent.exists()


def settle_lost_call(generation: Generation) -> None:
    """Settles the call that a crash ended, with an estimate of its output."""
    open_calls = GenerationCall.objects.filter(generation=generation, entry__outcome=Outcome.OPEN)
    lost = open_calls.values_list("entry", flat=True)
    entries.recover(dict.fromkeys(lost, estimate_lost_output(generation.message)))


def estimate_lost_output(message: Message) -> int:
    """Estimates the tokens of the saved message that no settled call of its generations covers."""
    calls = GenerationCall.objects.filter(generation__message=message)
    earlier = calls.aggregate(sum=Sum("entry__output_tokens"))["sum"] or 0
    said = (block for block in message.blocks if block.get("type") != "tool_result")
    texts = (block.get("text") or block.get("thinking") or str(block.get("input", "")) for block in said)
    return max(0, sum(map(token_estimates.estimate_text, texts)) - earlier)
