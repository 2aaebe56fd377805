"""The demo upstream is a model server like others: the client calls it over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from tests.upstreams.protocols.reading import Read
from upstreams import client
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.demo.reply import split_into_tokens, write_reply
from upstreams.demo.server import MODEL, DemoUpstream
from upstreams.endpoint import AuthHeader, Endpoint, ProtocolName
from upstreams.errors import UpstreamError

KEY = "demo-key"
ASKED = ChatRequest(MODEL, [ChatMessage("user", [{"type": "text", "text": "What is\nlife?"}])])


class Asgi:
    """A small HTTP server for an ASGI application, with one request per connection."""

    def __init__(self, app: DemoUpstream) -> None:
        self.app = app
        self.calls: list[asyncio.Task[Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls.append(asyncio.current_task())  # type: ignore[arg-type]
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split()
        headers = [(n.lower().encode(), v.strip().encode()) for n, _, v in (x.partition(":") for x in head[1:-2])]
        body = await reader.readexactly(int(dict(headers).get(b"content-length", b"0")))
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await reader.read()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                lines = b"".join(b"%s: %s\r\n" % header for header in message["headers"])
                writer.write(b"HTTP/1.1 %d OK\r\n%sconnection: close\r\n\r\n" % (message["status"], lines))
            writer.write(message.get("body", b""))
            await writer.drain()

        scope = {"type": "http", "method": method, "path": target.partition("?")[0], "headers": headers}
        await self.app(scope, receive, send)
        writer.close()


@pytest.fixture
async def asgi() -> Asgi:
    return Asgi(DemoUpstream(KEY, tokens_per_second=100_000))


@pytest.fixture
async def demo(asgi: Asgi) -> AsyncIterator[Endpoint]:
    async with await asyncio.start_server(asgi.serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield Endpoint("Demo", ProtocolName.ANTHROPIC, f"http://{host}:{port}/demo-upstream/", key=KEY)
        await client.close_transport()


async def ask(endpoint: Endpoint, request: ChatRequest = ASKED) -> Read:
    read = Read()
    try:
        async for events in client.stream_reply(endpoint, request):
            for event in events:
                read.take(event)
    except UpstreamError as failure:
        read.failure = failure
    return read


async def test_it_says_that_it_is_a_demo_and_repeats_the_question(demo: Endpoint) -> None:
    read = await ask(demo)
    assert read.reason == "end_turn" and read.usage.output_tokens
    assert "demo model" in read.text and "> What is\n> life?" in read.text


async def test_it_explains_how_to_connect_a_real_model(demo: Endpoint) -> None:
    text = (await ask(demo)).text
    assert (
        "your name at the lower left, then **Providers**" in text
        and "below the message field" in text
        and "ANTHROPIC_API_KEY" in text
    )
    assert "OPENAI_BASE_URL=http://localhost:11434/v1" in text
    assert "\n- " in text and "\n| --- |" in text and "\n```sh\n" in text


async def test_it_thinks_first_if_allowed(demo: Endpoint) -> None:
    assert (await ask(demo)).thinking == ""
    read = await ask(demo, replace(ASKED, thinking_budget=1024))
    assert [block["type"] for block in read.blocks] == ["thinking", "text"]
    assert read.thinking and read.blocks[0]["signature"]


async def test_it_also_answers_without_a_stream(demo: Endpoint) -> None:
    whole = await ask(demo, replace(ASKED, stream=False, thinking_budget=1024))
    streamed = await ask(demo, replace(ASKED, thinking_budget=1024))
    assert (whole.blocks, whole.usage) == (streamed.blocks, streamed.usage)


async def test_it_respects_the_output_limit(demo: Endpoint) -> None:
    read = await ask(demo, replace(ASKED, max_tokens=5))
    assert (read.reason, read.usage.output_tokens) == ("max_tokens", 5)


async def test_it_continues_a_stopped_reply(demo: Endpoint) -> None:
    whole = (await ask(demo)).text
    begun = ChatMessage("assistant", [{"type": "text", "text": whole[:100].rstrip()}])
    rest = await ask(demo, replace(ASKED, messages=[*ASKED.messages, begun]))
    assert whole[:100].rstrip() + rest.text == whole


async def test_it_lists_its_only_model(demo: Endpoint) -> None:
    [model] = await client.list_models(demo)
    assert (model.id, model.display_name) == (MODEL, "Demo")
    assert (await client.test_connection(demo)).ok


@pytest.mark.parametrize("header", list(AuthHeader))
async def test_it_accepts_its_key_in_either_header(demo: Endpoint, header: AuthHeader) -> None:
    assert (await ask(replace(demo, auth_header=header))).text
    assert (await ask(replace(demo, auth_header=header, key="wrong"))).kind == "authentication"


async def test_it_has_no_other_model_and_no_other_path(demo: Endpoint) -> None:
    assert (await ask(demo, replace(ASKED, model="other"))).kind == "unknown_model"
    assert (await ask(replace(demo, protocol=ProtocolName.OPENAI))).kind == "unknown_model"


async def test_it_refuses_invalid_requests(demo: Endpoint) -> None:
    assert (await ask(demo, replace(ASKED, messages=[]))).kind == "invalid_request"


async def test_it_stops_when_the_caller_disconnects(demo: Endpoint, asgi: Asgi) -> None:
    asgi.app = DemoUpstream(KEY, tokens_per_second=0.01)
    async with aclosing(client.stream_reply(demo, ASKED)) as batches:
        await anext(batches)
    async with asyncio.timeout(2):
        await asgi.calls[-1]


def test_its_tokens_add_up_to_its_text() -> None:
    text = write_reply([{"role": "user", "content": "héllo  wörld\n\n\tend "}])
    pieces = list(split_into_tokens(text))
    assert "".join(pieces) == text and 100 < len(pieces) < 500


def test_it_names_attachments_and_shortens_long_questions() -> None:
    image = {"type": "image", "source": {}}
    assert "> look\n> [image]" in write_reply([{"role": "user", "content": [{"type": "text", "text": "look"}, image]}])
    assert len(write_reply([{"role": "user", "content": "x" * 10_000}])) < 3000
