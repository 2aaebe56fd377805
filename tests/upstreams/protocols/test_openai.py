"""Chat Completions: all forms of replies of compatible servers."""

import json
from typing import Any

import pytest

from tests.upstreams.protocols.chunks import DONE, HELLO, ROLE, STOP, USAGE, Piece, call, chunk, replay, says
from tests.upstreams.protocols.reading import endpoint, read_body
from upstreams.endpoint import ProtocolName
from upstreams.events import Usage

TO = endpoint(ProtocolName.OPENAI)

# Ends of replies


@pytest.mark.parametrize("last", [[DONE], []], ids=["with [DONE]", "without [DONE]"])
def test_a_reply_is_read_with_its_usage(last: list[str]) -> None:
    read = replay(*HELLO, STOP, chunk(None, usage=USAGE), *last)
    assert (read.text, read.reason, read.usage) == ("Hello", "end_turn", Usage(20, 10))
    assert read.started and (read.started.id, read.started.model) == ("chatcmpl-1", "m")


def test_a_stream_without_an_end_is_broken() -> None:
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


def test_an_error_in_the_stream_is_identified_by_its_code() -> None:
    assert replay({"error": {"message": "x", "code": 429}}).kind == "rate_limited"
    assert replay({"error": {"message": "x", "type": "insufficient_quota"}}).kind == "quota_exhausted"


def test_a_reply_without_content_is_a_failure() -> None:
    assert replay("data:[DONE]\n\n").kind == "empty_reply"
    assert replay(ROLE, STOP, DONE).kind == "empty_reply"


def test_a_reply_may_be_empty_for_a_reason() -> None:
    assert replay(ROLE, chunk({}, "length"), DONE).reason == "max_tokens"


def test_a_damaged_chunk_breaks_the_stream() -> None:
    read = replay(ROLE, says("Hel"), 'data: {"x":\n\n')
    assert (read.text, read.kind) == ("Hel", "broken_stream")
    assert read.failure and "malformed chunk" in read.failure.detail


def test_done_completes_a_reply_without_a_reason() -> None:
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
def test_stop_reasons_are_translated(reason: str, ours: str) -> None:
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
def test_thinking_under_several_names_is_read_once(thinking: dict[str, Any]) -> None:
    read = replay(ROLE, chunk(thinking), says("ok"), STOP, DONE)
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    if field := next((name for name, value in thinking.items() if name != "content" and value), None):
        thought["reasoning_field"] = field
    if details := thinking.get("reasoning_details"):
        thought["reasoning_details"] = details
    assert read.blocks == [thought, {"type": "text", "text": "ok"}]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("lead", ["", "\n "])
def test_thinking_in_tags_is_split_from_the_text(size: int, lead: str) -> None:
    written = lead + "<think>\nhm, a < b </thin> so\n</think>\n\nok <think>not this</think>"
    pieces = [says(written[i : i + size]) for i in range(0, len(written), size)]
    read = replay(ROLE, *pieces, STOP, DONE)
    assert (read.thinking, read.text) == ("hm, a < b </thin> so", "ok <think>not this</think>")


def test_empty_thinking_in_tags_is_dropped() -> None:
    assert replay(says("<think>\n\n</think>\n\nok"), STOP, DONE).blocks == [{"type": "text", "text": "ok"}]


def test_thinking_without_an_end_is_kept() -> None:
    read = replay(says("<think>hm"), says(" </th"), chunk({}, "length"), DONE)
    assert (read.thinking, read.text) == ("hm </th", "")


@pytest.mark.parametrize("text", ["  <thi", "<b>", " ok", "\n"])
def test_text_that_begins_like_a_tag_is_text(text: str) -> None:
    assert replay(says(text[:2]), says(text[2:]), STOP, DONE).text == text


def test_tags_are_text_without_the_splitter() -> None:
    assert replay(says("<think>hm</think>"), STOP, DONE, splits_think_tags=False).text == "<think>hm</think>"


def test_tags_are_text_if_thinking_has_its_own_field() -> None:
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


def test_unreported_usage_is_unknown() -> None:
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
def test_cached_tokens_are_not_input_tokens(reported: dict[str, Any], usage: Usage) -> None:
    assert replay(*HELLO, STOP, chunk(None, usage=reported), DONE).usage == usage


# Unstreamed replies


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
def test_other_answers_are_not_replies(body: bytes) -> None:
    assert read_body(TO, body).kind == "not_a_model_server"


DATA = "iVBORw0KGgoAAAANSUhEUg=="
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}
SHOWN = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}
ELSEWHERE = {"type": "image", "source": {"type": "url", "url": "https://images.example/1.png"}}


@pytest.mark.parametrize(
    ("deltas", "blocks"),
    [
        ([{"content": "", "images": [PICTURE]}], [SHOWN]),
        ([{"images": [PICTURE, PICTURE]}], [SHOWN, SHOWN]),
        ([{"content": "Here:"}, {"images": [PICTURE]}, {"content": "Nice?"}], ["Here:", SHOWN, "Nice?"]),
        ([{"content": "Here:", "images": [PICTURE]}, {"content": "\n\n"}], ["Here:", SHOWN]),
        ([{"content": [{"type": "text", "text": "Here:"}, PICTURE]}], ["Here:", SHOWN]),
        ([{"content": [PICTURE, {"type": "text", "text": "Nice?"}, PICTURE]}], [SHOWN, "Nice?", SHOWN]),
        ([{"content": [{"type": "output_image", "image_url": PICTURE["image_url"]["url"]}]}], [SHOWN]),
        ([{"content": [{"type": "output_image", "result": DATA}]}], [SHOWN]),
        ([{"content": [SHOWN]}], [SHOWN]),
        ([{"images": [{"b64_json": DATA}]}], [SHOWN]),
        ([{"images": [PICTURE["image_url"]["url"]]}], [SHOWN]),
        ([{"images": [{"image_url": {"url": "https://images.example/1.png"}}]}], [ELSEWHERE]),
        (
            [{"images": [{"image_url": {"url": "DATA:image/PNG;name=a.png;BASE64," + DATA}}]}],
            [{"type": "image", "source": {"type": "base64", "media_type": "image/PNG", "data": DATA}}],
        ),
    ],
)
def test_images_are_blocks_in_their_place(deltas: list[dict[str, Any]], blocks: list[dict[str, Any] | str]) -> None:
    read = replay(ROLE, *map(chunk, deltas), STOP, DONE)
    assert [block["text"] if block["type"] == "text" else block for block in read.blocks] == blocks
    assert read.reason == "end_turn"


@pytest.mark.parametrize("index", [{}, {"index": 0}])
@pytest.mark.parametrize("size", [1, 7, 30])
def test_an_image_url_may_arrive_in_pieces(size: int, index: dict[str, int]) -> None:
    url = "data:image/png;base64," + DATA
    pieces = [url[:5], *(url[at : at + size] for at in range(5, len(url), size))]
    deltas = [{"images": [{**index, "image_url": {"url": piece}}]} for piece in pieces]
    other = {"images": [{"index": 1, **PICTURE}]}
    read = replay(ROLE, *map(chunk, deltas), chunk(other), says("Nice?"), STOP, DONE)
    assert read.blocks == [SHOWN, SHOWN, {"type": "text", "text": "Nice?"}]


def test_an_image_is_in_a_reply_that_breaks_off_after_it() -> None:
    read = replay(ROLE, says("Here:"), chunk({"images": [PICTURE]}))
    assert (read.kind, read.blocks) == ("broken_stream", [{"type": "text", "text": "Here:"}, SHOWN])


def test_an_image_in_a_reply_in_one_piece() -> None:
    message = {"role": "assistant", "content": None, "images": [PICTURE]}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert read_body(TO, body.encode()).blocks == [SHOWN]


@pytest.mark.parametrize(
    ("deltas", "named"),
    [
        ([{"content": [{"type": "file", "file": {}}]}], ["A file"]),
        ([{"audio": {"id": "a", "data": "aa"}}, {"audio": {"data": "bb"}}], ["A recording"]),
        ([{"content": "Just words.", "images": None, "audio": None}], []),
        ([{"content": "Just words.", "images": [], "annotations": [{"type": "url_citation"}]}], []),
        ([{"content": "Just words.", "images": {"odd": 1}}], []),
        ([{"content": "Words.", "images": [float("nan"), {"image_url": {"url": float("nan")}}]}], ["An image"]),
        ([{"images": [{"image_url": {"url": "javascript:alert(1)"}}, {"type": "image_url"}]}], ["An image"] * 2),
        ([{"images": [{"image_url": {"url": "file:///etc/passwd"}}]}], ["An image"]),
        ([{"content": [{"type": "file"}] * 10_000}], ["A file"] * 10),
    ],
)
def test_content_that_cannot_be_shown_is_named(deltas: list[dict[str, Any]], named: list[str]) -> None:
    read = replay(ROLE, *map(chunk, deltas), STOP, DONE)
    text = "".join(block["text"] for block in read.blocks)
    assert text.count("came with this answer") == len(named)
    assert all(kind in text for kind in named)
    for delta in deltas:
        assert not isinstance(delta.get("content"), str) or delta["content"] in text
