"""Chat Completions: tool calls, in all the pieces that compatible servers send."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstreams.protocols.chunks import DONE, ROLE, STOP, call, calls, chunk, replay, says, tools, wire
from tests.upstreams.protocols.reading import endpoint, read_stream
from upstreams.endpoint import ProtocolName
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, InputGrew
from upstreams.protocols import PROTOCOLS
from upstreams.wire.sse import SSEDecoder


def test_a_tool_call_is_assembled() -> None:
    pieces = [
        calls(call(index=0, id="a", type="function", name="f")),
        calls(call('{"x"', index=0)),
        calls(call(": 1}", index=0)),
    ]
    assert tools(*pieces) == [("a", "f", {"x": 1})]


def test_ids_distinguish_tool_calls_without_index() -> None:
    assert tools(calls(call('{"x":1}', id="a", name="f")), calls(call('{"x":2}', id="b", name="g"))) == [
        ("a", "f", {"x": 1}),
        ("b", "g", {"x": 2}),
    ]


def test_a_piece_without_index_and_id_continues_the_last_call() -> None:
    assert tools(calls(call('{"x"', id="a", name="f")), calls(call(":1}"))) == [("a", "f", {"x": 1})]


def test_ids_distinguish_tool_calls_that_share_an_index() -> None:
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


def test_arguments_that_are_not_json_are_kept_as_they_came() -> None:
    read = replay(calls(call("{x: 1", index=0, id="a", name="f")), chunk({}, "tool_calls"), DONE)
    assert read.blocks == [{"type": "tool_use", "id": "a", "name": "f", "input": {}, "raw_input": "{x: 1"}]


def test_the_older_function_call_counts_only_alone() -> None:
    older = {"function_call": {"name": "f", "arguments": "{}"}}
    assert tools(chunk(older)) == [("made", "f", {})]
    assert tools(chunk({**older, "tool_calls": [call("{}", index=0, id="a", name="f")]})) == [("a", "f", {})]


def test_extra_fields_of_a_call_are_kept() -> None:
    signed = call("{}", index=0, id="a", name="f", extra_content={"google": {"thought_signature": "s"}})
    read = replay(calls(signed), chunk({}, "tool_calls"), DONE)
    assert read.blocks[0]["extra_content"] == {"google": {"thought_signature": "s"}}


def test_tool_calls_overrule_the_stop_reason() -> None:
    assert replay(says("ok"), calls(call("{}", index=0, id="a", name="f")), STOP, DONE).reason == "tool_use"


def test_text_between_calls_keeps_its_place() -> None:
    whole = call("{}", index=0, id="a", name="f"), call("{}", index=1, id="b", name="g")
    read = replay(says("One."), calls(whole[0]), says("\n"), says("Two."), calls(whole[1]), says("\n\n"), STOP, DONE)
    kinds = [(block["type"], block.get("text", block.get("id"))) for block in read.blocks]
    assert kinds == [("text", "One."), ("tool_use", "a"), ("text", "\nTwo."), ("tool_use", "b")]


def test_text_in_the_middle_of_a_call_waits_for_its_end() -> None:
    head, rest = call('{"x"', index=0, id="a", name="f"), call(":1}", index=0)
    read = replay(calls(head), says("So"), calls(rest), says(" on."), STOP, DONE)
    assert [(block.get("input"), block.get("text")) for block in read.blocks] == [({"x": 1}, None), (None, "So on.")]


def test_late_fields_of_a_call_are_kept() -> None:
    signed = {"index": 0, "extra_content": {"google": {"thought_signature": "s"}}}
    read = replay(calls(call("{", index=0, id="a", name="f")), calls(call("}", name="g", **signed)), STOP, DONE)
    assert read.blocks == [
        {"type": "tool_use", "id": "a", "name": "g", "input": {}, "extra_content": signed["extra_content"]}
    ]


# Calls are emitted as they arrive


def told(*pieces: dict[str, Any]) -> Iterator[list[str]]:
    """The events of each chunk, and then of the end of the stream."""
    sse, decoder = SSEDecoder(), PROTOCOLS[ProtocolName.OPENAI].Decoder(endpoint(ProtocolName.OPENAI))
    for piece in (*pieces, DONE):
        events = [event for data in sse.feed(wire(piece)) for event in decoder.feed(data)]
        yield [words for event in events if (words := in_words(event))]


def in_words(event: object) -> str:
    match event:
        case BlockOpened({"type": "tool_use", "id": call_id, "name": name}):
            return f"{name} {call_id}"
        case BlockOpened({"type": kind}):
            return str(kind)
        case InputGrew(text) | BlockGrew(text):
            return text
        case BlockClosed(fields):
            return f"closed {fields['input']}" if "input" in fields else "closed"
    return ""


def test_a_call_is_emitted_from_its_name_to_its_last_piece() -> None:
    head, pieces = calls(call(index=0, id="a", name="f")), [calls(call(text, index=0)) for text in ('{"x"', ":1}")]
    assert list(told(says("Hm."), head, *pieces)) == [
        ["text", "Hm."],
        ["closed", "f a"],
        ['{"x"'],
        [":1}"],
        ["closed {'x': 1}"],
    ]


def test_a_call_is_closed_when_the_next_begins() -> None:
    first = calls(call("{}", index=0, id="a", name="f")), calls(call(index=1, id="b", name="g"))
    assert list(told(*first, calls(call("{}", index=1)))) == [
        ["f a", "{}"],
        ["closed {}", "g b"],
        ["{}"],
        ["closed {}"],
    ]


def test_a_call_waits_until_the_one_before_is_whole() -> None:
    heads = calls(call("", index=0, id="a", name="f"), call("", index=1, id="b", name="g"))
    pieces = [('{"x": "}', 0), ('{"y"', 1), ('\\""}', 0), (": 2}", 1)]
    assert list(told(heads, *(calls(call(text, index=index)) for text, index in pieces))) == [
        ["f a"],
        ['{"x": "}'],
        [],
        ['\\""}', "closed {'x': '}\"'}", "g b", '{"y"'],
        [": 2}"],
        ["closed {'y': 2}"],
    ]


def test_a_call_waits_for_its_name_and_its_id() -> None:
    pieces = call('{"x"', index=0), call(":", index=0, id="a"), call("1}", index=0, name="f")
    assert list(told(*map(calls, pieces))) == [[], [], ["f a", '{"x":1}'], ["closed {'x': 1}"]]


def test_arguments_in_an_object_are_emitted_as_they_are() -> None:
    assert list(told(calls(call({"x": 1}, index=0, id="a", name="f")))) == [["f a", '{"x":1}'], ["closed {'x': 1}"]]


def test_the_older_function_call_is_emitted_at_the_end() -> None:
    older = chunk({"function_call": {"name": "f", "arguments": "{}"}})
    [first, [opening, *rest]] = told(older)
    assert (first, opening.startswith("f call_"), rest) == ([], True, ["{}", "closed {}"])


arguments = st.dictionaries(
    st.text(max_size=3), st.text(max_size=3) | st.lists(st.integers(-(2**63), 2**63)), max_size=3
)


@given(st.lists(arguments, min_size=1, max_size=3), st.data())
def test_calls_are_assembled_from_pieces_in_any_order(inputs: list[dict[str, Any]], data: Any) -> None:
    written = [json.dumps(value) for value in inputs]
    cuts = [data.draw(st.integers(0, len(text))) for text in written]
    order = data.draw(st.permutations([index for index in range(len(inputs)) for _ in range(2)]))
    pieces, begun = [], list[int]()
    for index in order:
        if index in begun:
            pieces.append(call(written[index][cuts[index] :], index=index))
        else:
            begun.append(index)
            pieces.append(call(written[index][: cuts[index]], index=index, id=f"call-{index}", name="f"))
    read = read_stream(endpoint(ProtocolName.OPENAI), [wire(ROLE, *map(calls, pieces), STOP, DONE)])
    assert [(block["id"], block["input"]) for block in read.blocks] == [(f"call-{i}", inputs[i]) for i in begun]


# Calls of servers that name them badly


def test_a_new_id_in_each_piece_is_the_same_call() -> None:
    pieces = [
        call('{"x"', index=0, id="t-0", name="f"),
        {"index": 0, "id": "t-1", "function": {"name": None, "arguments": ":"}},
        call("1}", index=0, id="t-2"),
    ]
    assert [(name, value) for _, name, value in tools(*map(calls, pieces))] == [("f", {"x": 1})]
    repeated = [call(part, index=0, id=f"t-{n}", name="f") for n, part in enumerate(['{"x"', ":", "1}"])]
    assert [(name, value) for _, name, value in tools(*map(calls, repeated))] == [("f", {"x": 1})]
    without_index = [call('{"x"', id="t-0", name="f"), call(":", id="t-1"), call("1}", id="t-2")]
    assert [(name, value) for _, name, value in tools(*map(calls, without_index))] == [("f", {"x": 1})]


def test_whole_calls_without_index_and_id_are_several() -> None:
    pieces = [calls(call({"x": 1}, name="f")), calls(call('{"x":2}', name="f"), call("{}", name="g"))]
    assert tools(*pieces) == [("made", "f", {"x": 1}), ("made", "f", {"x": 2}), ("made", "g", {})]


def test_whole_calls_under_one_index_without_ids_are_several() -> None:
    pieces = [calls(call('{"x":1}', index=0, name="f")), calls(call('{"x":2}', index=0, name="g"))]
    assert [value for _, _, value in tools(*pieces)] == [{"x": 1}, {"x": 2}]


def test_an_id_finds_its_call_without_index() -> None:
    pieces = [call('{"x"', id="a", name="f"), call('{"y"', id="b", name="g"), call(":1}", id="a"), call(":2}", id="b")]
    assert tools(*map(calls, pieces)) == [("a", "f", {"x": 1}), ("b", "g", {"y": 2})]


def test_an_id_may_be_a_number_and_an_index_a_string() -> None:
    pieces = [call('{"x"', index="0", id=7, name="f"), call(":1}", index="0", id=7)]
    assert tools(*map(calls, pieces)) == [("7", "f", {"x": 1})]


@given(st.integers(1, 4), st.data())
def test_calls_are_found_however_their_server_names_them(count: int, data: st.DataObject) -> None:
    """Whole calls, each in pieces, one after the other."""
    has_index, has_ids = data.draw(st.booleans()), data.draw(st.sampled_from(["none", "stable", "new"]))
    pieces = []
    for place in range(count):
        text = json.dumps({"x": [place, '"}']})
        cuts = sorted(data.draw(st.lists(st.integers(1, len(text) - 1), max_size=3)))
        for n, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(text)], strict=True)):
            fields: dict[str, Any] = {"index": place} if has_index else {}
            if has_ids == "stable" or (has_ids == "new" and n == 0):
                fields["id"] = f"c{place}"
            elif has_ids == "new":
                fields["id"] = f"c{place}-{n}"
            pieces.append(calls(call(text[begin:end], name=f"f{place}" if n == 0 else None, **fields)))
    assert [(name, value) for _, name, value in tools(*pieces)] == [
        (f"f{place}", {"x": [place, '"}']}) for place in range(count)
    ]


# Calls that are cut by the length of the reply


@pytest.mark.parametrize("reason", ["length", "model_length", "max_tokens"])
@pytest.mark.parametrize("arguments", ["", " ", "{", '{"x": "a'])
def test_a_call_that_is_cut_is_never_complete(reason: str, arguments: str) -> None:
    read = replay(calls(call(arguments, index=0, id="a", name="f")), chunk({}, reason), DONE)
    [block] = read.blocks
    assert (read.reason, block["input"], block["raw_input"].strip()) == ("max_tokens", {}, arguments.strip())


def test_a_complete_call_before_the_cut_is_complete() -> None:
    both = calls(call("{}", index=0, id="a", name="f"), call("", index=1, id="b", name="g"))
    read = replay(both, chunk({}, "length"), DONE)
    assert [("raw_input" in block, block["id"]) for block in read.blocks] == [(False, "a"), (True, "b")]
