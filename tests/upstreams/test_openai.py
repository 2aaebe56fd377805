"""Chat Completions: every way in which compatible servers let a reply come."""

import json
from typing import Any

import pytest

from tests.upstreams.reading import Read, bytewise, endpoint, read_body, read_stream
from upstreams.endpoint import ProtocolName
from upstreams.events import Usage

TO = endpoint(ProtocolName.OPENAI)

type Piece = dict[str, Any] | str


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk with one choice, or with none when there is no delta."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": choices, **more}


def says(text: str, **more: Any) -> dict[str, Any]:
    return chunk({"content": text}, **more)


def calls(*pieces: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": list(pieces)})


def call(arguments: Any = "", **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    return {**fields, "function": {"arguments": arguments, **({"name": name} if name else {})}}


ROLE = chunk({"role": "assistant", "content": ""})
HELLO = [ROLE, says("Hel"), says("lo")]
STOP = chunk({}, "stop")
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
DONE = "data: [DONE]\n\n"


def wire(*pieces: Piece) -> bytes:
    return "".join(piece if isinstance(piece, str) else f"data: {json.dumps(piece)}\n\n" for piece in pieces).encode()


def replay(*pieces: Piece, **settings: Any) -> Read:
    """The reply, read whole and byte by byte: both must give the same."""
    to, sent = endpoint(ProtocolName.OPENAI, **settings), wire(*pieces)
    whole, cut = read_stream(to, [sent]), read_stream(to, bytewise(sent))
    assert (whole.blocks, whole.ended, whole.usage, whole.kind) == (cut.blocks, cut.ended, cut.usage, cut.kind)
    return whole


def tools(*pieces: Piece) -> list[tuple[str, str, Any]]:
    read = replay(ROLE, *pieces, chunk({}, "tool_calls"), DONE)
    assert read.reason == "tool_use"
    return [(block["id"], block["name"], block["input"]) for block in read.blocks]


# The ends a reply can have


@pytest.mark.parametrize("last", [[DONE], []], ids=["with [DONE]", "without [DONE]"])
def test_a_reply_is_read_with_its_usage(last: list[str]) -> None:
    read = replay(*HELLO, STOP, chunk(None, usage=USAGE), *last)
    assert (read.text, read.reason, read.usage) == ("Hello", "end_turn", Usage(20, 10))
    assert read.started and (read.started.id, read.started.model) == ("chatcmpl-1", "m")


def test_a_stream_that_just_stops_is_broken() -> None:
    read = replay(ROLE, says("Hel"))
    assert (read.text, read.kind) == ("Hel", "broken_stream")


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        ({"error": {"message": "busy", "code": 503}}, "busy"),
        ({"error": {"message": "busy", "code": "503"}}, "busy"),
        ({"error": "busy"}, "busy"),
        ({"object": "error", "message": "busy", "code": 503}, "busy"),
        ({**chunk({"content": ""}, "error"), "error": {"message": "busy", "code": 503}}, "busy"),
        (chunk({}, "error"), ""),
        ('event: error\ndata: {"message": "busy"}\n\n', "busy"),
        ('event: error\ndata: {"error": {"message": "busy"}}\n\n', "busy"),
        ("event: error\ndata: busy\n\n", "busy"),
        ('error: {"message": "busy", "code": 503}\n\n', "busy"),
        ('error: {"error": {"message": "busy", "code": 503}}\n\n', "busy"),
    ],
)
def test_an_error_in_the_stream_keeps_the_text_before_it(error: Piece, detail: str) -> None:
    read = replay(ROLE, says("Hel"), error)
    assert (read.text, read.kind in ("overloaded", "server_failed")) == ("Hel", True)
    assert read.failure and read.failure.detail == detail


def test_an_error_in_the_stream_is_told_by_its_code() -> None:
    assert replay({"error": {"message": "x", "code": 429}}).kind == "rate_limited"
    assert replay({"error": {"message": "x", "type": "insufficient_quota"}}).kind == "quota_exhausted"


def test_a_reply_with_no_content_is_a_failure() -> None:
    assert replay("data:[DONE]\n\n").kind == "empty_reply"
    assert replay(ROLE, STOP, DONE).kind == "empty_reply"


def test_a_reply_may_be_empty_when_there_is_a_reason_for_it() -> None:
    assert replay(ROLE, chunk({}, "length"), DONE).reason == "max_tokens"


def test_a_damaged_chunk_breaks_the_stream() -> None:
    read = replay(ROLE, says("Hel"), 'data: {"x":\n\n')
    assert (read.text, read.kind) == ("Hel", "broken_stream")
    assert read.failure and "malformed chunk" in read.failure.detail


def test_done_completes_a_reply_that_gave_no_reason() -> None:
    assert replay(*HELLO, DONE).reason is None


def test_nothing_is_read_after_done() -> None:
    assert replay(*HELLO, STOP, DONE, says("!"), 'data: {"x":\n\n').text == "Hello"


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("stop", "end_turn"),
        ("eos", "end_turn"),
        ("length", "max_tokens"),
        ("model_length", "max_tokens"),
        ("content_filter", "refusal"),
        ("function_call", "tool_use"),
        ("abort", "abort"),
        ("insufficient_system_resource", "insufficient_system_resource"),
    ],
)
def test_reasons_are_told_in_our_words(reason: str, ours: str) -> None:
    assert replay(*HELLO, chunk({}, reason), DONE).reason == ours


# Text


@pytest.mark.parametrize(
    "pieces",
    [
        [says("Hel"), says("lo")],
        [chunk({"role": "assistant", "content": "Hel"}), chunk({"role": "assistant", "content": "lo"})],
        [chunk({"role": None, "content": "Hel"}), chunk({"role": None, "content": "lo"})],
        [says("Hel", usage=None, obfuscation="xx"), says("lo", service_tier="x", system_fingerprint=None)],
        [
            {"choices": [{"delta": {"content": "Hel"}}]},
            {"choices": [{"delta": {"content": "lo"}, "finish_reason": ""}]},
        ],
        [chunk(None, prompt_filter_results=[{}]), says("Hel"), says("lo")],
        [": keep-alive\n\n", says("Hel"), ":\n\n", ": OPENROUTER PROCESSING\n\n", says("lo")],
        [chunk({"content": [{"type": "text", "text": "Hel"}]}), chunk({"content": [{"type": "text", "text": "lo"}]})],
        [chunk({"content": "Hel", "tool_calls": None}), chunk({"content": "lo", "tool_calls": []})],
        [chunk({"refusal": "Hel", "content": None}), chunk({"refusal": "lo"})],
        [says("Hel"), {"choices": [{"index": 1, "delta": {"content": "other"}}]}, says("lo")],
    ],
    ids=[
        "no role",
        "role in every chunk",
        "role null",
        "unknown keys",
        "no or empty finish reason",
        "filter results first",
        "comments",
        "content as parts",
        "tool calls null",
        "refusal",
        "another choice",
    ],
)
def test_text_is_read(pieces: list[Piece]) -> None:
    read = replay(*pieces, STOP, DONE)
    assert (read.blocks, read.reason) == ([{"type": "text", "text": "Hello"}], "end_turn")


# Thinking


@pytest.mark.parametrize(
    "thinking",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"reasoning_content": "hm", "reasoning": "hm", "reasoning_details": [{"text": "hm"}]},
        {"reasoning": "hm", "content": ""},
        {"reasoning_content": "", "reasoning": "hm"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    ],
)
def test_thinking_is_read_once_whatever_it_is_called(thinking: dict[str, Any]) -> None:
    read = replay(ROLE, chunk(thinking), says("ok"), STOP, DONE)
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    assert read.blocks == [thought, {"type": "text", "text": "ok"}]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("lead", ["", "\n "])
def test_thinking_in_tags_is_told_from_the_text(size: int, lead: str) -> None:
    written = lead + "<think>\nhm, a < b </thin> so\n</think>\n\nok <think>not this</think>"
    pieces = [says(written[i : i + size]) for i in range(0, len(written), size)]
    read = replay(ROLE, *pieces, STOP, DONE)
    assert (read.thinking, read.text) == ("hm, a < b </thin> so", "ok <think>not this</think>")


def test_empty_thinking_in_tags_is_no_thinking() -> None:
    assert replay(says("<think>\n\n</think>\n\nok"), STOP, DONE).blocks == [{"type": "text", "text": "ok"}]


def test_thinking_that_never_ended_is_kept() -> None:
    read = replay(says("<think>hm"), says(" </th"), chunk({}, "length"), DONE)
    assert (read.thinking, read.text) == ("hm </th", "")


@pytest.mark.parametrize("text", ["  <thi", "<b>", " ok", "\n"])
def test_text_that_only_begins_like_a_tag_is_text(text: str) -> None:
    assert replay(says(text[:2]), says(text[2:]), STOP, DONE).text == text


def test_tags_are_text_where_the_splitter_is_off() -> None:
    assert replay(says("<think>hm</think>"), STOP, DONE, splits_think_tags=False).text == "<think>hm</think>"


def test_tags_are_text_where_thinking_has_its_own_field() -> None:
    read = replay(chunk({"reasoning_content": "hm"}), says("<think> is a tag"), STOP, DONE)
    assert (read.thinking, read.text) == ("hm", "<think> is a tag")


# Usage


@pytest.mark.parametrize(
    "pieces",
    [
        [STOP, chunk(None, usage=USAGE)],
        [{**STOP, "usage": USAGE}],
        [says("!", usage={"prompt_tokens": 20, "completion_tokens": 4}), {**STOP, "usage": USAGE}],
        [STOP, chunk({}, usage=USAGE), chunk({}, usage=None)],
        [{"choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]}],
    ],
    ids=["a chunk of its own", "the finish chunk", "every chunk", "a chunk with an empty choice", "inside the choice"],
)
def test_the_last_usage_counts(pieces: list[Piece]) -> None:
    assert replay(*HELLO, *pieces, DONE).usage == Usage(20, 10)


def test_usage_that_is_not_reported_is_not_invented() -> None:
    assert replay(*HELLO, STOP, DONE).usage == Usage()


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 5}}, Usage(15, 10, 5)),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3}}, Usage(12, 10, 5, 3)),
        ({**USAGE, "prompt_cache_hit_tokens": 25, "cache_write_tokens": 1}, Usage(0, 10, 25, 1)),
        ({**USAGE, "completion_tokens_details": {"reasoning_tokens": 4}}, Usage(20, 10, None, None, 4)),
        ({**USAGE, "prompt_tokens_details": None, "completion_tokens_details": None}, Usage(20, 10)),
    ],
)
def test_cached_tokens_are_no_input_tokens(reported: dict[str, Any], usage: Usage) -> None:
    assert replay(*HELLO, STOP, chunk(None, usage=reported), DONE).usage == usage


# Tool calls


def test_a_tool_call_is_put_together() -> None:
    pieces = [
        calls(call(index=0, id="a", type="function", name="f")),
        calls(call('{"x"', index=0)),
        calls(call(": 1}", index=0)),
    ]
    assert tools(*pieces) == [("a", "f", {"x": 1})]


def test_tool_calls_without_index_are_told_apart_by_their_ids() -> None:
    assert tools(calls(call('{"x":1}', id="a", name="f")), calls(call('{"x":2}', id="b", name="g"))) == [
        ("a", "f", {"x": 1}),
        ("b", "g", {"x": 2}),
    ]


def test_a_piece_without_index_and_id_continues_the_last_call() -> None:
    assert tools(calls(call('{"x"', id="a", name="f")), calls(call(":1}"))) == [("a", "f", {"x": 1})]


def test_tool_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    both = calls(call('{"x":1}', index=0, id="a", name="f"), call('{"x":2}', index=0, id="b", name="f"))
    assert tools(both) == [("a", "f", {"x": 1}), ("b", "f", {"x": 2})]


def test_a_repeated_id_and_name_is_one_call() -> None:
    pieces = [calls(call(part, index=0, id="a", name="f")) for part in ('{"x"', ":", "1}")]
    assert tools(*pieces) == [("a", "f", {"x": 1})]


def test_pieces_of_two_calls_may_alternate() -> None:
    pieces = [
        call('{"x"', index=0, id="a", name="f"),
        call("{", index=1, id="b", name="g"),
        call(":1}", index=0),
        call("}", index=1),
    ]
    assert tools(*map(calls, pieces)) == [("a", "f", {"x": 1}), ("b", "g", {})]


@pytest.mark.parametrize(("arguments", "value"), [({"x": 1}, {"x": 1}), ("", {}), (None, {}), ("{}", {})])
def test_arguments_may_be_an_object_or_nothing(arguments: Any, value: dict[str, Any]) -> None:
    assert tools(calls(call(arguments, index=0, id="a", name="f"))) == [("a", "f", value)]


def test_arguments_that_are_no_json_are_kept_as_they_came() -> None:
    read = replay(calls(call("{x: 1", index=0, id="a", name="f")), chunk({}, "tool_calls"), DONE)
    assert read.blocks == [{"type": "tool_use", "id": "a", "name": "f", "input": {}, "raw_input": "{x: 1"}]


def test_the_older_function_call_counts_only_alone() -> None:
    older = {"function_call": {"name": "f", "arguments": "{}"}}
    assert tools(chunk(older)) == [("call_0", "f", {})]
    assert tools(chunk({**older, "tool_calls": [call("{}", index=0, id="a", name="f")]})) == [("a", "f", {})]


def test_what_a_server_hangs_on_a_call_is_kept() -> None:
    signed = call("{}", index=0, id="a", name="f", extra_content={"google": {"thought_signature": "s"}})
    read = replay(calls(signed), chunk({}, "tool_calls"), DONE)
    assert read.blocks[0]["extra_content"] == {"google": {"thought_signature": "s"}}


def test_that_there_are_tool_calls_decides_over_the_reason() -> None:
    assert replay(says("ok"), calls(call("{}", index=0, id="a", name="f")), STOP, DONE).reason == "tool_use"


# A reply in one piece


def completion(message: dict[str, Any], finish: str = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-1", "model": "m", "choices": [choice], **more}).encode()


def test_a_whole_reply_is_read() -> None:
    read = read_body(TO, b"\n\n" + completion({"reasoning_content": "hm", "content": "Hello"}, usage=USAGE))
    assert (read.thinking, read.text, read.reason, read.usage) == ("hm", "Hello", "end_turn", Usage(20, 10))


def test_a_whole_tool_call_is_read() -> None:
    read = read_body(TO, completion({"content": None, "tool_calls": [call('{"a":1}', id="a", name="f")]}, "tool_calls"))
    assert (read.blocks, read.reason) == ([{"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}}], "tool_use")


@pytest.mark.parametrize(
    "body", [b'{"error": {"message": "busy", "code": "503"}}', b'{"error": "busy"}', b'{"detail": "busy"}']
)
def test_an_error_with_status_200_is_an_error(body: bytes) -> None:
    read = read_body(TO, body)
    assert read.failure and read.failure.detail == "busy" and read.failure.retryable


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[]", b'{"hello": "world"}', b"", b'{"choices": []}'])
def test_what_is_no_reply_is_named_so(body: bytes) -> None:
    assert read_body(TO, body).kind == "not_a_model_server"
