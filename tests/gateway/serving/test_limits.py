"""A call over a budget or a rate limit is refused at once, in words and in a form that SDKs understand."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import AsyncAnthropic
from channels.db import database_sync_to_async

from ledger.models import Budget, Entry, RateLimit, UsageSum
from tests.fakes import ModelServer
from tests.gateway.serving.asking import PROGRAMS, ChatProgram, MessagesProgram, tell
from tests.gateway.serving.programs import Programs, asks, until
from tests.steps import Gate
from tests.wires import reply_wire

each_program = pytest.mark.parametrize("program", PROGRAMS)
type Program = type[MessagesProgram] | type[ChatProgram]


@pytest.fixture
def books(programs: Programs) -> Iterator[None]:
    """An empty ledger before, and no limits afterwards."""
    programs.forget_calls()
    yield
    programs.until_settled()
    Budget.objects.all().delete()
    RateLimit.objects.all().delete()
    programs.forget_calls()


def limited(program: Program, programs: Programs, model: str) -> Any:
    with pytest.raises((anthropic.RateLimitError, openai.RateLimitError)) as caught:
        program(programs).ask(model)
    return caught.value


@each_program
def test_an_exhausted_budget_is_explained_and_not_retried(
    books: None, programs: Programs, upstream: ModelServer, program: Program
) -> None:
    Budget.objects.create(scope="key", key=programs.key, period="day", unit="tokens", limit=20)
    tell(upstream)
    program(programs).ask(asks(upstream.protocol))
    error = limited(program, programs, asks(upstream.protocol))
    assert len(upstream.requests) == 1
    assert "budget" in error.message.lower() and "20" in error.message
    told = error.response.headers
    assert told["x-should-retry"] == "false" and 0 < int(told["retry-after"]) <= 60
    assert program is MessagesProgram or error.code == "insufficient_quota"


@each_program
def test_too_many_requests_are_refused_with_a_wait(
    books: None, programs: Programs, upstream: ModelServer, program: Program
) -> None:
    RateLimit.objects.create(scope="key", key=programs.key, requests_a_minute=1)
    tell(upstream)
    program(programs).ask(asks(upstream.protocol))
    error = limited(program, programs, asks(upstream.protocol))
    told = error.response.headers
    assert 0 < int(told["retry-after"]) <= 60 and "x-should-retry" not in told
    assert program is MessagesProgram or error.code == "rate_limit_exceeded"


def test_too_many_streams_at_once_are_refused(books: None, programs: Programs, messages: ModelServer) -> None:
    RateLimit.objects.create(scope="person", person=programs.ada, streams=1)
    gate = Gate()
    messages.stream(*reply_wire(messages.protocol, ["Hel", "lo"])[:3], gate, *reply_wire(messages.protocol, [])[-3:])
    body: Any = {"model": asks(messages.protocol), "max_tokens": 9, "messages": [MessagesProgram.question("text")]}
    with programs.anthropic().messages.create(**body, stream=True) as stream:
        next(iter(stream))
        limited(ChatProgram, programs, asks(messages.protocol))
        gate.open()
        assert [event.type for event in stream][-1] == "message_stop"
    messages.forget()
    tell(messages)
    assert ChatProgram(programs).ask(asks(messages.protocol)).text == "Hello"


async def test_many_calls_at_once_spend_no_more_than_one_too_many(
    books: None, programs: Programs, messages: ModelServer
) -> None:
    """Each call costs 30 tokens and reserves more, so the budget admits only some of the twenty."""
    budget = Budget(scope="person", person=programs.ada, period="day", unit="tokens", limit=100)
    await database_sync_to_async(budget.save)()
    gate = Gate()
    messages.stream(gate, *reply_wire(messages.protocol, ["Hello"], usage={"input_tokens": 10, "output_tokens": 20}))
    body: Any = {"model": asks(messages.protocol), "max_tokens": 40, "messages": [MessagesProgram.question("text")]}
    async with AsyncAnthropic(base_url=programs.url, api_key=programs.secret, max_retries=0) as client:

        async def ask() -> bool:
            try:
                async with client.messages.stream(**body) as stream:
                    await stream.get_final_message()
                return True
            except anthropic.RateLimitError:
                return False

        asking = [asyncio.create_task(ask()) for _ in range(20)]
        # Those that are let through wait upstream until all others were refused.
        await asyncio.to_thread(until, lambda: sum(task.done() for task in asking) + len(messages.requests) == 20)
        gate.open()
        answered = sum(await asyncio.gather(*asking))
    assert 1 <= answered <= 3

    def spent() -> list[int]:
        programs.until_settled()
        return [entry.tokens for entry in Entry.objects.all()]

    assert await database_sync_to_async(spent)() == [30] * answered


def count(programs: Programs, model: str) -> int:
    question: Any = MessagesProgram.question("text")
    return programs.anthropic().messages.count_tokens(model=model, messages=[question]).input_tokens


def test_a_request_to_count_tokens_is_booked_without_tokens(
    books: None, programs: Programs, upstream: ModelServer
) -> None:
    Budget.objects.create(scope="site", period="day", unit="tokens", limit=0)
    assert count(programs, asks(upstream.protocol)) > 0
    entry = programs.settled()
    assert (entry.source, entry.outcome, entry.key, entry.person) == ("count", "complete", programs.key, programs.ada)
    assert (entry.tokens, entry.cost, entry.reserved_tokens, entry.is_estimate) == (0, None, 0, False)
    assert entry.request_id.startswith("req_")
    assert set(UsageSum.objects.values_list("source", "calls", "input_tokens", "cost")) == {("count", 1, 0, 0)}


def test_requests_to_count_tokens_keep_the_limit_of_requests_a_minute(
    books: None, programs: Programs, messages: ModelServer
) -> None:
    RateLimit.objects.create(scope="key", key=programs.key, requests_a_minute=2, streams=1)
    messages.count = 17
    assert [count(programs, asks(messages.protocol)) for _ in range(2)] == [17, 17]
    with pytest.raises(anthropic.RateLimitError, match="2 requests within a minute"):
        count(programs, asks(messages.protocol))
    limited(MessagesProgram, programs, asks(messages.protocol))
    assert len(messages.counted) == 2 and not messages.requests


def test_tokens_can_be_counted_while_an_answer_runs(books: None, programs: Programs, messages: ModelServer) -> None:
    RateLimit.objects.create(scope="person", person=programs.ada, streams=1)
    gate = Gate()
    messages.stream(*reply_wire(messages.protocol, ["Hel", "lo"])[:3], gate, *reply_wire(messages.protocol, [])[-3:])
    body: Any = {"model": asks(messages.protocol), "max_tokens": 9, "messages": [MessagesProgram.question("text")]}
    with programs.anthropic().messages.create(**body, stream=True) as stream:
        next(iter(stream))
        assert count(programs, asks(messages.protocol)) > 0
        gate.open()
        assert [event.type for event in stream][-1] == "message_stop"
