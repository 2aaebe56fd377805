"""Calling a real server on loopback: what arrives, what is tried again, and how a call ends."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import ModelServer
from tests.steps import Abort, Answer, Gate, Hang, Pause
from tests.upstreams.protocols.reading import Read
from tests.wires import messages_event, reply_wire
from upstreams import client
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.client import stream_reply
from upstreams.client.transport import LIMITS
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError
from upstreams.events import BlockGrew, ReplyEvent, UsageReported

QUICK = replace(LIMITS, backoff=0.001, longest_wait=0.01)
ASKED = ChatRequest("test-model", [ChatMessage("user", [{"type": "text", "text": "hello?"}])])
WHOLE = {
    ProtocolName.ANTHROPIC: {"content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"},
    ProtocolName.OPENAI: {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]},
}


@pytest.fixture(autouse=True)
async def fresh_client() -> AsyncIterator[None]:
    yield
    await client.close_transport()


@pytest.fixture(params=list(ProtocolName))
def server(request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    with ModelServer(request.param) as running:
        yield running


@pytest.fixture
def anthropic() -> Iterator[ModelServer]:
    with ModelServer(ProtocolName.ANTHROPIC) as running:
        yield running


@pytest.fixture
def openai() -> Iterator[ModelServer]:
    with ModelServer(ProtocolName.OPENAI) as running:
        yield running


async def ask(to: Endpoint | ModelServer, request: ChatRequest = ASKED, **limits: Any) -> Read:
    endpoint = to.build_endpoint() if isinstance(to, ModelServer) else to
    read = Read()
    try:
        async with aclosing(stream_reply(endpoint, request, limits=replace(QUICK, **limits))) as batches:
            async for events in batches:
                for event in events:
                    read.take(event)
    except UpstreamError as failure:
        read.failure = failure
    return read


# What arrives


async def test_a_reply_arrives(server: ModelServer) -> None:
    server.say("Hel", "lo", thinking=["hm"])
    read = await ask(server)
    assert (read.thinking, read.text, read.reason) == ("hm", "Hello", "end_turn")
    assert (read.usage.input_tokens, read.usage.output_tokens) == (7, 5)


async def test_a_request_says_what_it_must(server: ModelServer) -> None:
    server.say("Hello")
    await ask(server)
    [request] = server.requests
    assert request.path == {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}[server.protocol]
    assert request.json["model"] == "test-model" and request.json["stream"] is True
    wanted = {
        "authorization": "Bearer key-of-the-test",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
    }
    assert wanted.items() <= request.headers.items()


async def test_pieces_arrive_as_they_are_written(server: ModelServer) -> None:
    server.say("Hel", "lo")
    server.hold()
    batches = stream_reply(server.build_endpoint(), ASKED, limits=QUICK)
    for text in ("Hel", "lo"):
        server.step()
        while not (grown := [event.text for event in await anext(batches) if isinstance(event, BlockGrew)]):
            pass
        assert grown == [text]
    server.release()
    await batches.aclose()


async def test_what_has_arrived_meanwhile_comes_in_one_batch(server: ModelServer) -> None:
    words = [f"{number} " + "x" * 100 for number in range(3000)]
    server.stream(b"".join(reply_wire(server.protocol, words)))
    async with aclosing(stream_reply(server.build_endpoint(), ASKED, limits=QUICK)) as batches:
        taken = [events async for events in batches]
    grown = [[event.text for event in events if isinstance(event, BlockGrew)] for events in taken]
    assert "".join(text for texts in grown for text in texts) == "".join(words)
    # The transport's own reads are of 16 KiB; who reads seldom would fall behind with them.
    assert max(len("".join(texts)) for texts in grown) > 2 * 16 * 1024


async def test_a_reply_reads_the_same_however_its_pieces_arrive(server: ModelServer) -> None:
    pieces = ["Hel", "lo", " <b>", ' "quoted"', "\n", "\\", " é", " <think>", "no</think>", "thought", "!"]
    for thinking in ([], ["h", "m", "\n", "m"]):
        wire = reply_wire(server.protocol, pieces, thinking=thinking)
        server.forget()
        server.stream(b"".join(wire))
        server.stream(*(step for event in wire for step in (event, Pause(0.002))))
        at_once = await ask(server)
        assert await ask(server) == at_once
        assert (at_once.text, at_once.thinking) == ("".join(pieces), "".join(thinking))


async def test_tags_of_thinking_are_found_in_single_pieces_of_text(openai: ModelServer) -> None:
    wire = reply_wire(openai.protocol, ["<think>", "h", "m", " m", "</think>", "Hel", "lo"])
    openai.stream(*(step for event in wire for step in (event, Pause(0.002))))
    read = await ask(openai)
    assert (read.thinking, read.text) == ("hm m", "Hello")


async def test_a_reply_may_be_asked_for_in_one_piece(server: ModelServer) -> None:
    server.body(WHOLE[server.protocol])
    read = await ask(server, replace(ASKED, stream=False))
    assert (read.text, server.requests[0].json["stream"]) == ("Hello", False)
    assert server.requests[0].headers["accept"] == "application/json"


async def test_a_reply_in_one_piece_is_read_although_a_stream_was_asked_for(server: ModelServer) -> None:
    server.body(WHOLE[server.protocol])
    assert (await ask(server)).text == "Hello"


async def test_a_stream_may_name_its_type_in_any_way(server: ModelServer) -> None:
    wire = reply_wire(server.protocol, ["Hello"])
    server.answer(Answer(wire, headers={"content-type": "Text/Event-Stream;charset=UTF-8; x=y"}))
    assert (await ask(server)).text == "Hello"


async def test_a_connection_is_used_again(server: ModelServer) -> None:
    server.say("Hello")
    await ask(server)
    await ask(server)
    assert [request.connection for request in server.requests] == [1, 1]


async def test_nothing_is_read_after_the_end(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hello"]), Hang())
    assert (await ask(server, farewell=0.01)).text == "Hello"
    assert await server.until_disconnected()


async def test_cookies_are_not_kept(server: ModelServer) -> None:
    wire = reply_wire(server.protocol, ["Hello"])
    server.answer(Answer(wire, headers={"content-type": "text/event-stream", "set-cookie": "a=b"}))
    await ask(server)
    await ask(server)
    assert "cookie" not in server.requests[-1].headers


# What is tried again


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_a_passing_fault_is_tried_again(server: ModelServer, status: int) -> None:
    server.refuse(status)
    server.refuse(status, retry_after="0.001")
    server.say("Hello")
    assert (await ask(server)).text == "Hello"
    assert len(server.requests) == 3


async def test_after_two_more_attempts_it_is_given_up(server: ModelServer) -> None:
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
async def test_what_will_not_change_is_not_tried_again(server: ModelServer, status: int, kind: str, ours: str) -> None:
    server.refuse(status, kind, "because")
    read = await ask(server)
    assert (read.kind, len(server.requests)) == (ours, 1)
    assert read.failure and (read.failure.status, read.failure.detail) == (status, "because")
    assert "Testing" in str(read.failure)


async def test_a_spend_limit_is_no_rate_limit(server: ModelServer) -> None:
    server.refuse(429, "rate_limit_error", "You have reached your specified spend limit.")
    assert (await ask(server)).kind == "quota_exhausted"


async def test_the_upstream_decides_whether_to_try_again(server: ModelServer) -> None:
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


async def test_what_an_attempt_that_is_given_up_has_used_is_told(anthropic: ModelServer) -> None:
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


async def test_an_error_in_the_stream_before_any_content_is_tried_again(anthropic: ModelServer) -> None:
    error = messages_event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    start, *_ = reply_wire(anthropic.protocol, [])
    anthropic.stream(start, error)
    anthropic.say("Hello")
    read = await ask(anthropic)
    assert (read.text, len(anthropic.requests)) == ("Hello", 2)


async def test_a_connection_lost_before_any_content_is_tried_again(server: ModelServer) -> None:
    server.stream(Abort())
    server.answer(Answer([], before=[Abort()]))
    server.say("Hello")
    assert (await ask(server)).text == "Hello"


async def test_after_the_first_content_nothing_is_tried_again(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4], Abort())
    server.say("Again")
    read = await ask(server)
    assert (read.text[:3], read.kind, len(server.requests)) == ("Hel", "broken_stream", 1)


async def test_a_server_without_stream_options_is_remembered(openai: ModelServer) -> None:
    openai.body({"error": {"message": "Unknown field: stream_options"}}, status=422)
    openai.say("Hello")
    assert [(await ask(openai)).text for _ in range(2)] == ["Hello", "Hello"]
    assert ["stream_options" in request.json for request in openai.requests] == [True, False, False]


# How a call ends


async def test_a_stream_that_just_stops_is_broken(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4])
    assert (await ask(server)).kind == "broken_stream"


async def test_a_connection_lost_after_the_stop_reason_is_no_fault(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hello"])[:-1], Gate(), Abort())
    gate = server._answers[0].steps[-2]
    asking = asyncio.create_task(ask(server))
    await asyncio.to_thread(gate.reached.wait, 5)
    await asyncio.sleep(0.05)
    gate.open()
    assert (await asking).reason == "end_turn"


async def test_a_late_first_byte_is_given_up(server: ModelServer) -> None:
    server.answer(Answer([], before=[Hang()]))
    read = await ask(server.build_endpoint(first_byte_timeout=0.3))
    assert (read.kind, len(server.requests)) == ("stalled", 1)
    assert await server.until_disconnected()


async def test_a_late_first_event_is_given_up(server: ModelServer) -> None:
    server.stream(Hang())
    assert (await ask(server.build_endpoint(first_byte_timeout=0.3))).kind == "stalled"


async def test_silence_is_given_up(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4], Hang())
    read = await ask(server, idle=0.05)
    assert (read.text[:3], read.kind) == ("Hel", "stalled")
    assert await server.until_disconnected()


async def test_comments_are_no_silence_but_they_are_no_content_either(server: ModelServer) -> None:
    comments = [step for _ in range(500) for step in (b": ping\n\n", Pause())]
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4], *comments)
    assert (await ask(server, idle=60, stall=0.1)).kind == "stalled"


async def test_a_reply_may_not_take_for_ever(server: ModelServer) -> None:
    pieces = [step for wire in reply_wire(server.protocol, ["x"] * 500) for step in (wire, Pause())]
    server.stream(*pieces)
    assert (await ask(server, whole=0.1)).kind == "stalled"


async def test_a_reply_that_grows_too_large_is_cut_off_and_kept(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["x" * 100] * 50)[:-4], Hang())
    read = await ask(server, text_size=1000)
    assert read.kind == "reply_too_large" and len(read.text) > 1000
    assert await server.until_disconnected()


async def test_an_endless_line_is_cut_off(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hello"])[:-4], b"data: " + b"x" * 5000)
    assert (await ask(server, event_size=2000)).kind == "reply_too_large"


async def test_a_whole_reply_that_is_too_large_is_not_read(server: ModelServer) -> None:
    server.body(WHOLE[server.protocol])
    assert (await ask(server, body_size=10)).kind == "reply_too_large"


async def test_of_a_long_error_only_the_beginning_is_read(server: ModelServer) -> None:
    server.body(b"no " * 10_000, status=400, headers={"content-type": "text/plain"})
    read = await ask(server, error_size=1000)
    assert read.failure and len(read.failure.detail) <= 500 and read.failure.detail.startswith("no no")


async def test_redirects_are_not_followed(server: ModelServer) -> None:
    with ModelServer(server.protocol) as other:
        other.say("Hello")
        server.body(b"", status=307, headers={"location": other.url})
        read = await ask(server)
    assert (read.kind, other.requests) == ("not_a_model_server", [])


async def test_a_web_page_is_no_reply(server: ModelServer) -> None:
    server.body(b"<html>Welcome</html>", headers={"content-type": "text/html"})
    read = await ask(server)
    assert read.failure and (read.kind, read.failure.detail) == ("not_a_model_server", "<html>Welcome</html>")


# Stopping


async def test_closing_the_reply_closes_the_connection(server: ModelServer) -> None:
    server.say("Hel", "lo")
    server.hold()
    server.step()
    batches = stream_reply(server.build_endpoint(), ASKED)
    await anext(batches)
    await batches.aclose()
    assert await server.until_disconnected()


@pytest.mark.parametrize("moment", ["before the head", "before the first event", "between two pieces"])
async def test_cancelling_the_task_closes_the_connection(server: ModelServer, moment: str) -> None:
    gate, wire = Gate(), reply_wire(server.protocol, ["Hel", "lo"])
    match moment:
        case "before the head":
            server.answer(Answer(wire, before=[gate]))
        case "before the first event":
            server.stream(gate, *wire)
        case _:
            server.stream(*wire[:3], gate, *wire[3:])
    asking = asyncio.create_task(ask(server))
    assert await asyncio.to_thread(gate.reached.wait, 5)
    await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await server.until_disconnected()


async def test_cancelling_twice_still_closes_the_connection(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:3], gate := Gate())
    asking = asyncio.create_task(ask(server))
    assert await asyncio.to_thread(gate.reached.wait, 5)
    asking.cancel()
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert await server.until_disconnected(1)


async def test_a_reply_that_nobody_reads_on_is_closed_when_it_is_forgotten(server: ModelServer) -> None:
    server.say("Hel", "lo")
    server.hold()
    server.step()
    async for _ in stream_reply(server.build_endpoint(), ASKED):
        break
    assert await server.until_disconnected(2)


async def test_cancelling_the_wait_between_two_attempts_ends_it(server: ModelServer) -> None:
    server.refuse(429, retry_after="30")
    asking = asyncio.create_task(ask(server, longest_wait=60))
    assert await asyncio.to_thread(server.asked.wait, 5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(server.requests) == 1
