"""Replies in the Messages API: the events of a stream, the body of a whole reply, and errors."""

import json
from typing import Any

import pytest

from gateway.dialects import messages
from gateway.problems import Problem
from tests.gateway.dialects.replies import STARTED, call, messages_events, reply, text, thinking
from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    ReplyEnded,
    ReplyEvent,
    TextWasThinking,
    Usage,
    UsageReported,
)
from upstreams.reply import build_thinking


def sent(events: list[ReplyEvent]) -> list[dict[str, Any]]:
    return messages_events(messages.Encoder("our-name").feed(events))


def deltas(events: list[ReplyEvent]) -> list[dict[str, Any]]:
    return [event["delta"] for event in sent(events) if event["type"] == "content_block_delta"]


def opened(events: list[ReplyEvent]) -> list[dict[str, Any]]:
    return [event["content_block"] for event in sent(events) if event["type"] == "content_block_start"]


def test_a_stream_begins_with_the_message_and_the_usage_known_by_then() -> None:
    [start] = sent([STARTED, UsageReported(Usage(7, 1, 3))])
    message = start["message"]
    assert message.pop("id").startswith("msg_")
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": "our-name",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 7,
            "output_tokens": 1,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 0,
        },
    }


def test_text_and_thinking_are_blocks_one_after_the_other() -> None:
    events = reply(thinking("hm", "!", signature="s"), text("Hel", "lo"))
    assert opened(events) == [{"type": "thinking", "thinking": "", "signature": ""}, {"type": "text", "text": ""}]
    assert deltas(events) == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "thinking_delta", "thinking": "!"},
        {"type": "signature_delta", "signature": "s"},
        {"type": "text_delta", "text": "Hel"},
        {"type": "text_delta", "text": "lo"},
    ]


def test_content_in_an_opening_block_is_written() -> None:
    held = [BlockOpened({"type": "text", "text": "Hel"}), BlockGrew("lo"), BlockClosed({})]
    assert opened(reply(held)) == [{"type": "text", "text": ""}]
    assert [delta["text"] for delta in deltas(reply(held))] == ["Hel", "lo"]


def test_citations_follow_their_text() -> None:
    cited = [BlockOpened({"type": "text", "text": ""}), BlockGrew("x"), BlockClosed({"citations": [{"a": 1}]})]
    assert deltas(reply(cited))[1:] == [{"type": "citations_delta", "citation": {"a": 1}}]


@pytest.mark.parametrize(
    ("blocks", "pieces"),
    [
        (call("f", {"a": 1}, '{"a"', ":1}"), ['{"a"', ":1}"]),
        (call("f", {"a": 1}), ['{"a":1}']),
        (call("f", {}), ["{}"]),
        (call("f", {}, " "), [" ", "{}"]),
        ([*call("f", {})[:-1], BlockClosed({"input": {}, "raw_input": "{a"})], ["{a"]),
        ([BlockOpened({"type": "tool_use", "id": "a", "name": "f", "input": {"b": 2}}), BlockClosed({})], ['{"b":2}']),
    ],
)
def test_a_tools_input_is_written_in_pieces_or_at_the_end(blocks: list[ReplyEvent], pieces: list[str]) -> None:
    events = reply(blocks, stop="tool_use")
    assert opened(events)[0]["input"] == {}
    assert deltas(events) == [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def test_two_tools_are_two_blocks_with_ids_that_clients_take() -> None:
    blocks = opened(reply(call("f", {}, id="functions.f:0"), call("g", {}, id="call-2"), stop="tool_use"))
    assert [block["name"] for block in blocks] == ["f", "g"]
    assert blocks[1]["id"] == "call-2" and blocks[0]["id"].replace("_", "").isalnum()


def test_a_block_of_an_unknown_type_passes_unchanged() -> None:
    block = {"type": "hologram", "beam": 7}
    assert opened(reply([BlockOpened(block), BlockClosed({})])) == [block]


def test_a_reply_ends_with_its_reason_and_its_whole_usage() -> None:
    *_, end, _ = sent(reply(text("hi"), stop="max_tokens", usage=Usage(7, 5, 3, 2, 4)))
    assert end["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
    assert end["usage"] == {
        "input_tokens": 7,
        "output_tokens": 5,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 2,
        "output_tokens_details": {"thinking_tokens": 4},
    }


REASONS = [
    ("end_turn", "end_turn"),
    ("max_tokens", "max_tokens"),
    ("stop_sequence", "stop_sequence"),
    ("tool_use", "end_turn"),
    ("pause_turn", "pause_turn"),
    ("refusal", "refusal"),
    ("model_context_window_exceeded", "model_context_window_exceeded"),
    ("insufficient_system_resource", "end_turn"),
    (None, "end_turn"),
]


@pytest.mark.parametrize(("reason", "told"), REASONS)
def test_only_reasons_that_clients_know_are_written(reason: str | None, told: str) -> None:
    events = reply(text("hi"), stop=reason)
    assert sent(events)[-2]["delta"]["stop_reason"] == told
    assert messages.render_reply(events, "m")["stop_reason"] == told


@pytest.mark.parametrize("reason", ["tool_use", "end_turn", "insufficient_system_resource", None])
def test_a_tool_call_decides_the_stop_reason(reason: str | None) -> None:
    assert sent(reply(call("f", {}), stop=reason))[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_refusal_is_explained_and_a_stop_sequence_named() -> None:
    refusal = [STARTED, *text("hm"), ReplyEnded("refusal", explanation="Not this.")]
    details = {"type": "refusal", "category": None, "explanation": "Not this."}
    assert sent(refusal)[-2]["delta"]["stop_details"] == details
    assert messages.render_reply(refusal, "m")["stop_details"] == details
    assert sent([STARTED, *text("x"), ReplyEnded("stop_sequence", "END")])[-2]["delta"]["stop_sequence"] == "END"


def test_a_whole_reply_is_complete() -> None:
    blocks = (thinking("hm", signature="s"), text("Hel", "lo"), call("f", {"a": 1}, '{"a":1}'))
    body = messages.render_reply(reply(*blocks, stop="tool_use", usage=Usage(7, 5)), "our-name")
    assert body.pop("id").startswith("msg_")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": "our-name",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 7,
            "output_tokens": 5,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
        },
    }


def test_unreported_usage_is_written_as_zero() -> None:
    assert messages.render_reply(reply(text("hi")), "m")["usage"]["output_tokens"] == 0
    assert sent(reply(text("hi")))[-2]["usage"]["output_tokens"] == 0


def test_a_failure_is_the_last_event_without_a_proper_end() -> None:
    encoder = messages.Encoder("m")
    wire = encoder.feed([STARTED, *text("Hel")[:2]])
    wire += encoder.encode_failure(Problem(529, "overloaded_error", "The model is overloaded."), "req_1")
    name, data = wire.decode().rstrip("\n").split("\n\n")[-1].split("\n")
    assert name == "event: error" and b"message_stop" not in wire
    assert json.loads(data.removeprefix("data: ")) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "The model is overloaded."},
        "request_id": "req_1",
    }


def test_an_error_has_its_own_shape() -> None:
    assert json.loads(messages.render_error(Problem.at("model", "is required."), "req_1")) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "model: is required."},
        "request_id": "req_1",
    }


def test_a_ping_is_an_event() -> None:
    assert messages.Encoder("m").encode_ping() == b'event: ping\ndata: {"type":"ping"}\n\n'


def test_programs_do_not_see_how_thinking_was_written_in_the_text() -> None:
    thought = [BlockOpened(build_thinking("")), BlockGrew("hm"), BlockClosed({"tags": ["<think>", "</think>"]})]
    for events in (thought, [BlockOpened({"type": "text", "text": "hm"}), TextWasThinking("", ("", "</think>"))]):
        [block] = messages.render_reply(reply(events), "m")["content"]
        assert block == {"type": "thinking", "thinking": "hm", "signature": ""}
    assert opened(reply(thought)) == [{"type": "thinking", "thinking": "", "signature": ""}]
