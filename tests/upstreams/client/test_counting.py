"""Counting tokens: by the upstream where it can, and never at the cost of a failure."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes import ModelServer
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.client import close_transport, count_tokens, counting
from upstreams.endpoint import ProtocolName

ASKED = ChatRequest(
    "m",
    [ChatMessage("user", [{"type": "text", "text": "hi"}])],
    system="Be kind.",
    max_tokens=9,
    temperature=0.5,
    stop_sequences=("END",),
)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    counting._counts_nothing.clear()
    with ModelServer() as running:
        yield running
        await close_transport()


async def test_the_upstream_counts_what_it_would_be_asked(server: ModelServer) -> None:
    server.count = 1234
    assert await count_tokens(server.build_endpoint(), ASKED) == 1234
    [asked] = server.counted
    assert (asked.method, asked.path) == ("POST", "/v1/messages/count_tokens")
    assert asked.headers["authorization"] == "Bearer key-of-the-test"
    assert set(asked.json) == {"model", "messages", "system"}
    assert asked.json["messages"][0]["content"][0]["text"] == "hi"


async def test_a_server_that_does_not_count_is_asked_once(server: ModelServer) -> None:
    assert [await count_tokens(server.build_endpoint(), ASKED) for _ in range(3)] == [None, None, None]
    assert len(server.counted) == 1


async def test_chat_completions_servers_are_not_asked(server: ModelServer) -> None:
    assert await count_tokens(server.build_endpoint(protocol=ProtocolName.OPENAI), ASKED) is None
    assert server.counted == []


async def test_what_is_very_large_is_not_sent_for_a_count(server: ModelServer) -> None:
    server.count = 1
    text = {"type": "text", "text": "a" * counting.LARGEST}
    assert await count_tokens(server.build_endpoint(), ChatRequest("m", [ChatMessage("user", [text])])) is None
    assert server.counted == []


async def test_a_server_that_cannot_be_reached_is_no_failure() -> None:
    with ModelServer() as gone:
        endpoint = gone.build_endpoint()
    assert await count_tokens(endpoint, ASKED) is None
    await close_transport()


@pytest.mark.parametrize("count", [-1, True, "7", None, {"a": 1}])
async def test_what_is_no_count_is_none(server: ModelServer, count: object) -> None:
    server.count = count  # type: ignore[assignment]
    assert await count_tokens(server.build_endpoint(), ASKED) is None


@pytest.mark.parametrize(
    ("answer", "count"), [(b"[]", None), (b"<html>", None), (b"", None), (b'{"input_tokens": 0, "more": 1}', 0)]
)
def test_any_answer_can_be_read(answer: bytes, count: int | None) -> None:
    assert counting.count_in(answer) == count
