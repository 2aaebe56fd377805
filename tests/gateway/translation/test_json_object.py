"""A reply that should be one JSON object has nothing around it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation.json_object import JsonObjectText
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEnded, ReplyEvent, TextWasThinking
from upstreams.reply import FoldedReply

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4)
indents = st.sampled_from([None, 2])


def read(*pieces: str) -> str:
    events: list[ReplyEvent] = [BlockOpened({"type": "text", "text": ""}), *map(BlockGrew, pieces), BlockClosed({})]
    blocks = FoldedReply.of(JsonObjectText().translate([*events, ReplyEnded("end_turn")])).blocks
    return "".join(block["text"] for block in blocks)


@given(
    st.sampled_from(["", "Here it is:\n", "```json\n", "Sure! Use {this}:\n```\n", "\n "]),
    objects,
    indents,
    st.sampled_from(["", "\n```", "\nLet me know if you need more {details}.", '\n{"another": 1}']),
    st.data(),
)
def test_what_surrounds_the_object_is_dropped(
    before: str, value: dict[str, Any], indent: int | None, after: str, data: st.DataObject
) -> None:
    written = json.dumps(value, indent=indent)
    text = before + written + after
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(*pieces) == written


@pytest.mark.parametrize("text", ["", "I cannot do that.", "Use {this}.", "[1, 2]", "{", '"{'])
def test_text_without_an_object_stays(text: str) -> None:
    assert read(*text) == text


def test_an_array_of_objects_keeps_them_all() -> None:
    assert read('```\n[{"a": 1}, {"a": 2}]\n```') == '[{"a": 1}, {"a": 2}]'


def test_an_object_that_is_cut_off_stays_cut_off() -> None:
    assert read('```json\n{"a": "b') == '{"a": "b'


def test_other_blocks_stay_as_they_are() -> None:
    events: list[ReplyEvent] = [
        BlockOpened({"type": "thinking", "thinking": ""}),
        BlockGrew("A {"),
        BlockClosed({"signature": "s"}),
        BlockOpened({"type": "text", "text": "I look "}),
        BlockGrew("it up."),
        BlockClosed({}),
        BlockOpened({"type": "tool_use", "id": "a", "name": "f", "input": {}}),
        BlockClosed({"input": {"b": 1}}),
    ]
    assert FoldedReply.of(JsonObjectText().translate(events)).blocks == FoldedReply.of(events).blocks


def test_text_that_turns_out_to_be_thinking_is_not_the_object() -> None:
    events: list[ReplyEvent] = [
        BlockOpened({"type": "text", "text": ""}),
        BlockGrew('Perhaps {"a": {'),
        TextWasThinking(),
        BlockClosed({}),
        BlockOpened({"type": "text", "text": '{"b": 1}.'}),
        BlockClosed({}),
    ]
    assert FoldedReply.of(JsonObjectText().translate(events)).blocks[1:] == [{"type": "text", "text": '{"b": 1}'}]
