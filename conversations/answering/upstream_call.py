"""One call of the upstream for an answer: carried to its viewers, and booked whatever its end is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import Sum
from django.utils.timezone import now

from conversations.answering import saving
from conversations.answering.pacing import paced
from conversations.answering.relay import Relay
from conversations.models import Generation, GenerationCall, Message
from ledger import sizes
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
"""An answer that uses tools makes several calls. Request limits do not interrupt it for this long."""

_settling: dict[int, asyncio.Task[None]] = {}
"""What is being booked of calls that are over, by generation; nobody who reads an answer waits for it."""


async def carried_by(relay: Relay, endpoint: Endpoint, request: ChatRequest) -> None:
    """Raises booking.CallRefused, before anything is asked, where a budget is used up."""
    async with booked(relay, endpoint, request) as meter:
        events = stream_reply(endpoint, request, abandoned=meter.abandon)
        async with aclosing(paced(events)) as batches:
            async for batch in batches:
                meter.take(batch)
                relay.carry(batch)


@asynccontextmanager
async def booked(relay: Relay, endpoint: Endpoint, request: ChatRequest) -> AsyncIterator[Meter]:
    """The call has a row in the ledger from here on, which says in the end how it went."""
    await until_settled(relay.generation.pk)
    meter = Meter(sizes.prompt_tokens(request))
    beginning = asyncio.create_task(begun(relay.generation, meter, PROTOCOLS[endpoint.protocol].output_limit(request)))
    outcome, error_kind = Outcome.BROKEN, "internal"
    try:
        # Whoever stops the answer just now does not stop the thread that writes the row.
        await asyncio.shield(beginning)
        yield meter
        outcome, error_kind = Outcome.COMPLETE, ""
    except asyncio.CancelledError:
        outcome, error_kind = (Outcome.STOPPED if relay.stop_asked else Outcome.BROKEN), ""
        raise
    except UpstreamError as failure:
        outcome, error_kind = (Outcome.BROKEN if meter.has_content else Outcome.FAILED), failure.kind
        raise
    finally:
        settling = settled(relay.generation, beginning, meter, outcome, error_kind)
        _settling[relay.generation.pk] = asyncio.create_task(settling)


async def until_settled(generation_pk: int) -> None:
    """Until all calls of the generation so far are booked."""
    if settling := _settling.get(generation_pk):
        await asyncio.wait([settling])
        _settling.pop(generation_pk, None)


async def begun(generation: Generation, meter: Meter, max_tokens: int | None) -> Entry:
    begin = partial(begin_call, generation, meter.prompt_tokens, max_tokens)
    return await saving.insisting(generation.conversation_id, begin)


@transaction.atomic
def begin_call(generation: Generation, prompt_tokens: int, max_tokens: int | None) -> Entry:
    """Begins an entry and links it to the generation."""
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


async def settled(
    generation: Generation, beginning: asyncio.Task[Entry], meter: Meter, outcome: Outcome, error_kind: str
) -> None:
    await asyncio.wait([beginning])
    if beginning.exception() is None:
        settle = partial(entries.settle, beginning.result(), meter, outcome, error_kind)
        await saving.insisting(generation.conversation_id, settle)


def settle_lost_call(generation: Generation) -> None:
    """Settles the call that a crash has ended, with an estimate of what it had written."""
    open_calls = GenerationCall.objects.filter(generation=generation, entry__outcome=Outcome.OPEN)
    lost = open_calls.values_list("entry", flat=True)
    entries.recover(dict.fromkeys(lost, estimate_lost_output(generation.message)))


def estimate_lost_output(message: Message) -> int:
    """Tokens of the saved message that no settled call of its generations accounts for."""
    calls = GenerationCall.objects.filter(generation__message=message)
    earlier = calls.aggregate(sum=Sum("entry__output_tokens"))["sum"] or 0
    said = (block for block in message.blocks if block.get("type") != "tool_result")
    texts = (block.get("text") or block.get("thinking") or str(block.get("input", "")) for block in said)
    return max(0, sum(map(sizes.size_of, texts)) - earlier)
