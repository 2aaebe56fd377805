"""The Messages API: all forms of replies."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.upstreams.protocols.reading import Read, bytewise, endpoint, read_body, read_stream
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.events import Usage
from upstreams.protocols import anthropic

TO = endpoint(ProtocolName.ANTHROPIC)


def wire(*events: dict[str, Any] | str, named: bool = True) -> bytes:
    """Encodes events as bytes. Strings stay as they are."""
    return b"".join(
        event.encode()
        if isinstance(event, str)
        else (f"event: {event['type']}\n" if named else "").encode() + f"data: {json.dumps(event)}\n\n".encode()
        for event in events
    )


def start(**usage: int) -> dict[str, Any]:
    usage = usage or {"input_tokens": 7, "output_tokens": 1}
    return {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": usage}}


def opened(block: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def closed(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ending(reason: str | None = "end_turn", usage: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **more}, "usage": usage or {"output_tokens": 5}}


STOP = {"type": "message_stop"}
TEXT = {"type": "text", "text": ""}
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}
HELLO = [opened(TEXT), delta("text_delta", text="Hel"), delta("text_delta", text="lo"), closed()]


def replay(*events: dict[str, Any] | str, named: bool = True) -> Read:
    """The reply, read at once and byte by byte, which must be equal."""
    sent = wire(*events, named=named)
    whole, cut = read_stream(TO, [sent]), read_stream(TO, bytewise(sent))
    assert (whole.blocks, whole.ended, whole.usage, whole.kind) == (cut.blocks, cut.ended, cut.usage, cut.kind)
    return whole


@pytest.mark.parametrize("named", [True, False], ids=["with event names", "without event names"])
def test_pings_and_unknown_events_are_ignored(named: bool) -> None:
    noise = [{"type": "ping"}, {"type": "weather_report", "rain": True}]
    read = replay(start(), *HELLO[:2], *noise, *HELLO[2:], ending(), STOP, named=named)
    assert (read.text, read.reason) == ("Hello", "end_turn")
    assert read.started and (read.started.id, read.started.model) == ("msg_1", "m")


def test_later_usage_replaces_earlier_usage() -> None:
    usage = {"input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": None}
    assert replay(start(), *HELLO, ending(usage=usage), STOP).usage == Usage(9, 5, 3)


def test_the_usage_at_the_start_stays_without_a_later_one() -> None:
    usage = {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}}
    read = replay(start(input_tokens=7, cache_creation_input_tokens=4), *HELLO, ending(usage=usage), STOP)
    assert read.usage == Usage(7, 5, None, 4, 2)


def test_an_error_in_the_stream_keeps_its_kind_and_the_text_before_it() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    read = replay(start(), *HELLO[:2], error)
    assert (read.text, read.kind) == ("Hel", "overloaded")
    assert read.failure and read.failure.detail == "Overloaded"


def test_a_stream_without_an_end_is_broken() -> None:
    read = replay(start(), *HELLO[:2])
    assert (read.text, read.kind) == ("Hel", "broken_stream")


def test_a_stop_reason_makes_a_reply_complete_without_its_last_event() -> None:
    assert replay(start(), *HELLO, ending()).reason == "end_turn"


def test_the_last_event_makes_a_reply_complete_without_a_stop_reason() -> None:
    assert replay(start(), *HELLO, STOP).reason is None


def test_the_end_may_come_twice() -> None:
    read = replay(start(), *HELLO, ending("max_tokens"), ending(None, {"output_tokens": 6}), STOP)
    assert (read.reason, read.usage.output_tokens) == ("max_tokens", 6)


def test_the_input_of_a_tool_is_assembled() -> None:
    pieces = ["", '{"city": "Pa', 'ris"}']
    read = replay(
        start(),
        opened(TOOL),
        *(delta("input_json_delta", partial_json=p) for p in pieces),
        closed(),
        ending("tool_use"),
        STOP,
    )
    assert read.blocks == [{**TOOL, "input": {"city": "Paris"}}]


def test_a_tool_may_have_no_input() -> None:
    assert replay(start(), opened(TOOL), closed(), ending("tool_use"), STOP).blocks == [TOOL]


def test_incomplete_tool_input_is_kept_as_it_came() -> None:
    read = replay(
        start(), opened(TOOL), delta("input_json_delta", partial_json='{"ci'), closed(), ending("max_tokens"), STOP
    )
    assert read.blocks == [{**TOOL, "input": {}, "raw_input": '{"ci'}]


def test_unknown_blocks_and_deltas_leave_the_text_intact() -> None:
    strange = {"type": "hologram", "data": {"x": 1}}
    read = replay(
        start(),
        opened(strange),
        delta("hologram_delta", x=2),
        closed(),
        *(e | {"index": 1} for e in HELLO),
        ending(),
        STOP,
    )
    assert read.blocks == [strange, {"type": "text", "text": "Hello"}]


def test_thinking_and_its_signature_are_kept_and_go_back_unchanged() -> None:
    read = replay(
        start(),
        opened(THINKING),
        delta("thinking_delta", thinking="hm"),
        delta("thinking_delta", thinking="m"),
        delta("signature_delta", signature="sig=="),
        closed(),
        *(e | {"index": 1} for e in HELLO),
        ending(),
        STOP,
    )
    thought = {"type": "thinking", "thinking": "hmm", "signature": "sig=="}
    assert read.blocks == [thought, {"type": "text", "text": "Hello"}]
    asked = ChatMessage("user", [{"type": "text", "text": "hi"}])
    request = ChatRequest("m", [asked, ChatMessage("assistant", read.blocks), asked])
    assert anthropic.payload(request, replace(TO, caches_prompts=False))["messages"][1]["content"] == read.blocks


def test_redacted_thinking_is_kept() -> None:
    redacted = {"type": "redacted_thinking", "data": "opaque"}
    read = replay(start(), opened(redacted), closed(), *(e | {"index": 1} for e in HELLO), ending(), STOP)
    assert read.blocks[0] == redacted


def test_server_tools_and_their_results_are_kept() -> None:
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "x"}]}
    read = replay(
        start(),
        opened(call),
        delta("input_json_delta", partial_json='{"query":"q"}'),
        closed(),
        opened(result, 1),
        closed(1),
        *(e | {"index": 2} for e in HELLO),
        ending(),
        STOP,
    )
    assert read.blocks == [{**call, "input": {"query": "q"}}, result, {"type": "text", "text": "Hello"}]


def test_citations_are_collected() -> None:
    cited = [delta("citations_delta", citation={"n": 1}), delta("citations_delta", citation={"n": 2})]
    read = replay(start(), *HELLO[:-1], *cited, closed(), ending(), STOP)
    assert read.blocks == [{"type": "text", "text": "Hello", "citations": [{"n": 1}, {"n": 2}]}]


def test_a_block_may_begin_with_content() -> None:
    read = replay(start(), opened({"type": "text", "text": "Oh, "}), *HELLO[1:], ending(), STOP)
    assert read.text == "Oh, Hello"


def test_a_tool_call_may_arrive_complete() -> None:
    whole = {**TOOL, "input": {"city": "Paris"}}
    assert replay(start(), opened(whole), closed(), ending("tool_use"), STOP).blocks == [whole]


@pytest.mark.parametrize(
    ("piece", "block"),
    [
        (delta("text_delta", text="hm"), {"type": "text", "text": "hm"}),
        (delta("thinking_delta", thinking="hm"), {"type": "thinking", "thinking": "hm", "signature": ""}),
        (delta("input_json_delta", partial_json="{}"), {"type": "tool_use", "id": "", "name": "", "input": {}}),
    ],
)
def test_a_delta_without_its_block_opens_one(piece: dict[str, Any], block: dict[str, Any]) -> None:
    assert replay(start(), piece, ending(), STOP).blocks == [block]


def test_an_unclosed_block_ends_where_the_next_begins() -> None:
    read = replay(start(), *HELLO[:3], opened(TEXT, 1), delta("text_delta", 1, text="!"), ending(), STOP)
    assert [block["text"] for block in read.blocks] == ["Hello", "!"]


def test_a_stray_done_is_ignored() -> None:
    assert replay(start(), *HELLO, ending(), "data: [DONE]\n\n", STOP, "data: [DONE]\n\n").reason == "end_turn"


def test_nothing_is_read_after_the_end() -> None:
    assert replay(start(), *HELLO, ending(), STOP, *HELLO).text == "Hello"


def test_a_damaged_event_breaks_the_stream() -> None:
    read = replay(start(), *HELLO[:2], 'data: {"x":\n\n')
    assert (read.text, read.kind) == ("Hel", "broken_stream")
    assert read.failure and "malformed" in read.failure.detail


def test_a_reply_without_content_is_a_failure() -> None:
    assert replay(start(), ending(), STOP).kind == "empty_reply"


def test_a_refusal_without_content_has_an_explanation() -> None:
    details = {"type": "refusal", "category": "x", "explanation": "Not this."}
    read = replay(start(), ending("refusal", stop_details=details), STOP)
    assert read.ended and (read.ended.stop_reason, read.ended.explanation) == ("refusal", "Not this.")


def test_the_stop_sequence_is_named() -> None:
    read = replay(start(), *HELLO, ending("stop_sequence", stop_sequence="END"), STOP)
    assert read.ended and read.ended.stop_sequence == "END"


def test_an_unknown_stop_reason_is_a_normal_end() -> None:
    assert replay(start(), *HELLO, ending("moonrise"), STOP).reason == "moonrise"


# Unstreamed replies


def test_a_whole_reply_is_read() -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "model": "m",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 25, "cache_read_input_tokens": 0},
    }
    read = read_body(TO, json.dumps(message).encode())
    assert (read.blocks, read.reason, read.usage) == (message["content"], "end_turn", Usage(10, 25, 0))


def test_a_whole_reply_may_lack_fields_that_older_servers_omit() -> None:
    read = read_body(TO, b'{"content": [{"type": "text", "text": "Hello"}]}')
    assert (read.text, read.reason, read.usage) == ("Hello", None, Usage())


def test_an_error_with_status_200_is_an_error() -> None:
    assert read_body(TO, b'{"type":"error","error":{"type":"api_error","message":"x"}}').kind == "server_failed"


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[]", b'{"hello": "world"}', b""])
def test_other_answers_are_not_replies(body: bytes) -> None:
    assert read_body(TO, body).kind == "not_a_model_server"


def test_an_empty_whole_reply_still_reports_its_usage() -> None:
    read = read_body(
        TO, b'{"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 1}}'
    )
    assert (read.kind, read.usage) == ("empty_reply", Usage(3, 1))


# Calls that are cut by the length of the reply


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
@pytest.mark.parametrize("pieces", [[], [""], ['{"city": "Pa']])
def test_a_call_that_is_cut_is_never_complete(reason: str, pieces: list[str]) -> None:
    deltas = [delta("input_json_delta", partial_json=piece) for piece in pieces]
    read = replay(start(), opened(TOOL), *deltas, closed(), ending(reason), STOP)
    assert (read.reason, read.blocks) == (reason, [{**TOOL, "raw_input": "".join(pieces)}])


def test_a_call_without_input_is_complete_if_another_block_follows_or_the_reply_ends_with_it() -> None:
    second = {**TOOL, "id": "toolu_2"}
    read = replay(start(), opened(TOOL), closed(), opened(second, 1), closed(1), ending("tool_use"), STOP)
    assert read.blocks == [TOOL, second]
    read = replay(start(), opened(TOOL), closed(), opened(second, 1), closed(1), ending("max_tokens"), STOP)
    assert read.blocks == [TOOL, {**second, "raw_input": ""}]


def test_a_call_that_is_cut_in_a_reply_in_one_piece_is_not_complete() -> None:
    body = {"content": [{**TOOL, "input": {"a": 1}}, TOOL], "stop_reason": "max_tokens"}
    read = read_body(TO, json.dumps(body).encode())
    assert read.blocks == [{**TOOL, "input": {"a": 1}}, {**TOOL, "raw_input": ""}]
