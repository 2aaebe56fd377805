"""Replies in the Chat Completions API: the chunks of a stream, the body of a whole reply, and errors."""

import json
from typing import Any

import pytest

from gateway.dialects import chat
from gateway.problems import Problem
from tests.gateway.dialects.replies import STARTED, call, chat_chunks, reply, text, thinking
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEnded, ReplyEvent, Usage


def chunks(events: list[ReplyEvent], *, include_usage: bool = False) -> list[dict[str, Any]]:
    return chat_chunks(chat.Encoder("our-name", include_usage).feed(events), include_usage=include_usage)


def deltas(events: list[ReplyEvent]) -> list[dict[str, Any]]:
    """The deltas between the role and the finish reason."""
    return [chunk["choices"][0]["delta"] for chunk in chunks(events)[1:-1]]


def test_a_stream_begins_with_the_role() -> None:
    [first] = chunks([STARTED])
    assert first["id"].startswith("chatcmpl-") and isinstance(first["created"], int)
    assert (first["object"], first["model"]) == ("chat.completion.chunk", "our-name")
    delta = {"role": "assistant", "content": None}
    assert first["choices"] == [{"index": 0, "delta": delta, "finish_reason": None}]


def test_thinking_and_text_have_fields_of_their_own() -> None:
    assert deltas(reply(thinking("hm", signature="s"), text("Hel", "lo"))) == [
        {"reasoning_content": "hm"},
        {"content": "Hel"},
        {"content": "lo"},
    ]


def test_content_in_an_opening_block_is_written() -> None:
    held = [BlockOpened({"type": "text", "text": "Hel"}), BlockGrew("lo"), BlockClosed({})]
    assert deltas(reply(held)) == [{"content": "Hel"}, {"content": "lo"}]


def test_tools_are_counted_by_themselves_and_named_once() -> None:
    events = reply(text("x"), call("f", {"a": 1}, '{"a"', ":1}", id="a"), text("y"), call("g", {}, id="b"))
    begun = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert [call for delta in deltas(events) for call in delta.get("tool_calls", [])] == [
        {"index": 0, **begun},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
        {"index": 1, **begun, "id": "b", "function": {"name": "g", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


@pytest.mark.parametrize(
    ("blocks", "pieces"),
    [
        (call("f", {"a": 1}), ['{"a":1}']),
        ([*call("f", {})[:-1], BlockClosed({"input": {}, "raw_input": "{a"})], ["{a"]),
        ([BlockOpened({"type": "tool_use", "id": "a", "name": "f", "input": {"b": 2}}), BlockClosed({})], ['{"b":2}']),
    ],
)
def test_an_input_without_pieces_is_written_whole(blocks: list[ReplyEvent], pieces: list[str]) -> None:
    assert [delta["tool_calls"][0]["function"]["arguments"] for delta in deltas(reply(blocks))[1:]] == pieces


def test_a_call_that_nobody_closed_is_complete_before_the_next() -> None:
    [begun, _] = call("f", {}, id="a")
    told = [delta["tool_calls"][0] for delta in deltas(reply([begun], call("g", {}, id="b")))]
    pieces = [(piece["index"], piece["function"]["arguments"]) for piece in told]
    assert pieces == [(0, ""), (0, "{}"), (1, ""), (1, "{}")]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "redacted_thinking", "data": "x"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "hologram", "text": "7"},
    ],
)
def test_kinds_that_this_protocol_lacks_are_left_out(block: dict[str, Any]) -> None:
    events = reply([BlockOpened(block), BlockGrew("?"), BlockClosed({})], text("hi"))
    assert deltas(events) == [{"content": "hi"}]
    message = chat.render_reply(events, "m")["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "hi", "refusal": None}


REASONS = [
    ("end_turn", "stop"),
    ("stop_sequence", "stop"),
    ("pause_turn", "stop"),
    ("max_tokens", "length"),
    ("model_context_window_exceeded", "length"),
    ("refusal", "content_filter"),
    ("tool_use", "stop"),
    ("something_new", "stop"),
    (None, "stop"),
]


@pytest.mark.parametrize(("reason", "told"), REASONS)
def test_reasons_become_this_protocols_values(reason: str | None, told: str) -> None:
    events = reply(text("hi"), stop=reason)
    assert chunks(events)[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": told}]
    assert chat.render_reply(events, "m")["choices"][0]["finish_reason"] == told


@pytest.mark.parametrize("reason", ["tool_use", "end_turn", "something_new", None])
def test_a_tool_call_decides_the_stop_reason(reason: str | None) -> None:
    assert chunks(reply(call("f", {}), stop=reason))[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_refusal_is_explained() -> None:
    events = [STARTED, *text("hm"), ReplyEnded("refusal", explanation="Not this.")]
    assert deltas(events)[-1] == {"refusal": "Not this."}
    assert chat.render_reply(events, "m")["choices"][0]["message"]["refusal"] == "Not this."


def test_usage_comes_last_and_only_when_asked_for() -> None:
    events = reply(text("hi"), usage=Usage(7, 5, 3, 2, 4))
    *others, last = chunks(events, include_usage=True)
    assert all(chunk["usage"] is None for chunk in others) and last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert not any("usage" in chunk for chunk in chunks(events))


def test_a_whole_reply_is_complete() -> None:
    blocks = (thinking("hm"), text("Hel", "lo"), text("!"), call("f", {"a": 1}))
    body = chat.render_reply(reply(*blocks, stop="tool_use"), "our-name")
    assert body.pop("id").startswith("chatcmpl-") and isinstance(body.pop("created"), int)
    function = {"name": "f", "arguments": '{"a":1}'}
    message = {
        "role": "assistant",
        "content": "Hello!",
        "refusal": None,
        "reasoning_content": "hm",
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }
    assert body == {
        "object": "chat.completion",
        "model": "our-name",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}],
        "usage": {
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "total_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "system_fingerprint": None,
        "service_tier": None,
    }


def test_a_whole_reply_of_tools_alone_has_no_content() -> None:
    assert chat.render_reply(reply(call("f", {})), "m")["choices"][0]["message"]["content"] is None


def test_a_failure_is_the_last_event_without_a_proper_end() -> None:
    encoder = chat.Encoder("m")
    wire = encoder.feed([STARTED, *text("Hel")[:2]])
    wire += encoder.encode_failure(Problem(529, "overloaded_error", "The model is overloaded."), "req_1")
    last = wire.decode().rstrip("\n").split("\n\n")[-1]
    assert b"[DONE]" not in wire
    assert json.loads(last.removeprefix("data: ")) == {
        "error": {"message": "The model is overloaded.", "type": "overloaded", "param": None, "code": "overloaded"}
    }


@pytest.mark.parametrize(
    ("problem", "kind", "code"),
    [
        (Problem(400, "invalid_request_error", "x"), "invalid_request_error", None),
        (Problem(401, "authentication_error", "x"), "invalid_request_error", "invalid_api_key"),
        (Problem(402, "billing_error", "x"), "insufficient_quota", "insufficient_quota"),
        (Problem(403, "permission_error", "x"), "permission_error", None),
        (Problem(404, "not_found_error", "x", code="model_not_found"), "invalid_request_error", "model_not_found"),
        (Problem(404, "not_found_error", "x"), "invalid_request_error", None),
        (Problem(413, "request_too_large", "x"), "invalid_request_error", None),
        (Problem(429, "rate_limit_error", "x"), "requests", "rate_limit_exceeded"),
        (Problem(429, "rate_limit_error", "x", code="insufficient_quota"), "requests", "insufficient_quota"),
        (Problem(502, "api_error", "x"), "server_error", None),
        (Problem(503, "api_error", "x"), "service_unavailable", None),
        (Problem(504, "timeout_error", "x"), "server_error", "timeout"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_errors_have_their_own_shape_and_words(problem: Problem, kind: str, code: str | None) -> None:
    assert json.loads(chat.render_error(problem, "req_1")) == {
        "error": {"message": "x", "type": kind, "param": None, "code": code}
    }


def test_the_wrong_field_is_named() -> None:
    assert json.loads(chat.render_error(Problem.at("messages.0.role", "is required."), "req_1"))["error"] == {
        "message": "messages.0.role: is required.",
        "type": "invalid_request_error",
        "param": "messages.0.role",
        "code": None,
    }


def test_a_ping_is_a_comment() -> None:
    assert chat.Encoder("m").encode_ping() == b": ping\n\n"
