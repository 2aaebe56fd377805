"""A model that nests its reply too deeply makes no internal error."""

import json
from typing import Any

import httpx
import pytest

from tests.fakes import ModelServer
from tests.gateway.serving.asking import CALL, whole
from tests.gateway.serving.programs import Programs, asks
from upstreams.endpoint import ProtocolName

PATHS = ["/v1/messages", "/v1/chat/completions"]
each_path = pytest.mark.parametrize("path", PATHS)
each_way = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])


def nest(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def call_deeply(upstream: ModelServer, depth: int) -> None:
    """Prepares a reply in one piece that calls a tool."""
    id, name, _ = CALL
    if upstream.protocol is ProtocolName.ANTHROPIC:
        upstream.body(
            whole(upstream.protocol, content=[{"type": "tool_use", "id": id, "name": name, "input": nest(depth)}])
        )
    else:
        function = {"name": name, "arguments": json.dumps(nest(depth))}
        message = {"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": function}]}
        upstream.body(
            whole(upstream.protocol, choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])
        )


def ask(programs: Programs, path: str, upstream: ModelServer, *, is_streamed: bool, **more: Any) -> httpx.Response:
    body = {"model": asks(upstream.protocol), "max_tokens": 9, "stream": is_streamed, **more}
    body.setdefault("messages", [{"role": "user", "content": "How?"}])
    headers = {"x-api-key": programs.secret, "anthropic-version": "2023-06-01"}
    return httpx.post(programs.url + path, json=body, headers=headers, timeout=20)


@each_path
@each_way
@pytest.mark.parametrize("depth", [160, 240, 300, 1000])
def test_a_deep_reply_is_passed_on_or_is_the_providers_fault(
    programs: Programs, upstream: ModelServer, path: str, is_streamed: bool, depth: int
) -> None:
    call_deeply(upstream, depth)
    answer = ask(programs, path, upstream, is_streamed=is_streamed)
    assert answer.status_code in (200, 502), answer.text
    assert "internal error" not in answer.text
    programs.until_settled()


@each_path
def test_a_deep_block_in_a_stream_is_the_providers_fault(programs: Programs, messages: ModelServer, path: str) -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": nest(300)}
    start = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": {}}}
    events = [start, {"type": "content_block_start", "index": 0, "content_block": block}]
    messages.stream(*(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events))
    answer = ask(programs, path, messages, is_streamed=True)
    assert answer.status_code == 502 or "lost before the reply was complete" in answer.text, answer.text


@each_path
def test_the_deepest_reply_can_be_sent_back(programs: Programs, upstream: ModelServer, path: str) -> None:
    call_deeply(upstream, 145)
    answer = ask(programs, path, upstream, is_streamed=False).json()
    if path == "/v1/messages":
        turn = {"role": "assistant", "content": answer["content"]}
        result: dict[str, Any] = {"role": "user"}
        result["content"] = [{"type": "tool_result", "tool_use_id": answer["content"][0]["id"], "content": "sunny"}]
    else:
        turn = answer["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": turn["tool_calls"][0]["id"], "content": "sunny"}
    history = [{"role": "user", "content": "How?"}, turn, result]
    assert ask(programs, path, upstream, is_streamed=False, messages=history).status_code == 200
