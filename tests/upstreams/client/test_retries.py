"""Which failures of a real server on loopback are retried, and how long that takes."""

from contextlib import aclosing

import pytest

from tests.fakes import ModelServer
from tests.steps import Abort, Answer
from tests.upstreams.client.asking import ASKED, QUICK, ask
from tests.wires import messages_event, reply_wire
from upstreams.client import stream_reply
from upstreams.events import ReplyEvent, UsageReported

pytestmark = pytest.mark.usefixtures("fresh_client")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_a_temporary_error_is_retried(server: ModelServer, status: int) -> None:
    server.refuse(status)
    server.refuse(status, retry_after="0.001")
    server.say("Hello")
    assert (await ask(server)).text == "Hello"
    assert len(server.requests) == 3


async def test_a_call_gives_up_after_two_more_attempts(server: ModelServer) -> None:
    server.refuse(529, "overloaded_error", "Overloaded")
    read = await ask(server)
    assert (read.kind, len(server.requests)) == ("overloaded", 3)


@pytest.mark.parametrize(
    ("status", "kind", "ours"),
    [
        (400, "invalid_request_error", "invalid_request"),
        (400, "context_length_exceeded", "request_too_large"),
        (401, "authentication_error", "authentication"),
        (402, "billing_error", "quota_exhausted"),
        (403, "permission_error", "permission"),
        (404, "not_found_error", "unknown_model"),
        (405, "invalid_request_error", "invalid_request"),
        (413, "request_too_large", "request_too_large"),
        (422, "invalid_request_error", "invalid_request"),
        (429, "insufficient_quota", "quota_exhausted"),
    ],
)
async def test_a_permanent_error_is_not_retried(server: ModelServer, status: int, kind: str, ours: str) -> None:
    server.refuse(status, kind, "because")
    read = await ask(server)
    assert (read.kind, len(server.requests)) == (ours, 1)
    assert read.failure and (read.failure.status, read.failure.detail) == (status, "because")
    assert "Testing" in str(read.failure)


async def test_a_spend_limit_is_not_a_rate_limit(server: ModelServer) -> None:
    server.refuse(429, "rate_limit_error", "You have reached your specified spend limit.")
    assert (await ask(server)).kind == "quota_exhausted"


async def test_the_upstream_decides_whether_to_retry(server: ModelServer) -> None:
    server.refuse(500, x_should_retry="false")
    server.say("Hello")
    assert (await ask(server)).kind == "server_failed"
    server.forget()
    server.refuse(400, x_should_retry="true")
    server.say("Hello")
    assert (await ask(server)).text == "Hello"


async def test_the_upstream_says_how_long_to_wait(server: ModelServer) -> None:
    server.refuse(429, retry_after="30")
    read = await ask(server, retries=0)
    assert read.failure and read.failure.retry_after == 30
    server.forget()
    server.refuse(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
    server.say("Hello")
    assert (await ask(server)).text == "Hello"


async def test_a_wait_that_is_too_long_is_left_to_the_caller(server: ModelServer) -> None:
    server.refuse(429, retry_after="30")
    server.say("Hello")
    read = await ask(server, worth_waiting=2)
    assert read.failure and read.failure.retry_after == 30 and len(server.requests) == 1


async def test_the_usage_of_an_abandoned_attempt_is_reported(anthropic: ModelServer) -> None:
    start, *_ = reply_wire(anthropic.protocol, [])
    anthropic.stream(start, Abort())
    anthropic.say("Hello")
    told: list[ReplyEvent] = []
    async with aclosing(
        stream_reply(anthropic.build_endpoint(), ASKED, limits=QUICK, abandoned=told.extend)
    ) as batches:
        async for _ in batches:
            pass
    assert [event.usage.input_tokens for event in told if isinstance(event, UsageReported)] == [7]


async def test_an_error_in_the_stream_before_any_content_is_retried(anthropic: ModelServer) -> None:
    error = messages_event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    start, *_ = reply_wire(anthropic.protocol, [])
    anthropic.stream(start, error)
    anthropic.say("Hello")
    read = await ask(anthropic)
    assert (read.text, len(anthropic.requests)) == ("Hello", 2)


async def test_a_connection_lost_before_any_content_is_retried(server: ModelServer) -> None:
    server.stream(Abort())
    server.answer(Answer([], before=[Abort()]))
    server.say("Hello")
    assert (await ask(server)).text == "Hello"


async def test_nothing_is_retried_after_the_first_content(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4], Abort())
    server.say("Again")
    read = await ask(server)
    assert (read.text[:3], read.kind, len(server.requests)) == ("Hel", "broken_stream", 1)


async def test_a_server_without_stream_options_is_remembered(openai: ModelServer) -> None:
    openai.body({"error": {"message": "Unknown field: stream_options"}}, status=422)
    openai.say("Hello")
    assert [(await ask(openai)).text for _ in range(2)] == ["Hello", "Hello"]
    assert ["stream_options" in request.json for request in openai.requests] == [True, False, False]
