"""A growing reply has the blocks that the upstream wrote, however its text was cut."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.answering.draft import Draft
from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    InputGrew,
    ReplyEnded,
    ReplyEvent,
    ReplyStarted,
    Usage,
    UsageReported,
)

TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}


def drafted(*events: ReplyEvent) -> Draft:
    draft = Draft()
    for event in events:
        draft.apply(event)
    return draft


def test_pieces_add_up_to_a_text() -> None:
    draft = drafted(BlockOpened(TEXT), BlockGrew("Hel"), BlockGrew("lo"), BlockClosed({}))
    assert draft.blocks == [{"type": "text", "text": "Hello"}]


def test_text_in_the_opening_event_comes_first() -> None:
    assert (
        drafted(BlockOpened({"type": "text", "text": "Well, "}), BlockGrew("hello")).blocks[0]["text"] == "Well, hello"
    )


def test_thinking_keeps_its_signature_to_the_letter() -> None:
    signed = "EqQBCkYIARgC+/=="
    draft = drafted(BlockOpened(THINKING), BlockGrew("Hm. "), BlockGrew("Yes."), BlockClosed({"signature": signed}))
    assert draft.blocks == [{"type": "thinking", "thinking": "Hm. Yes.", "signature": signed}]


def test_a_tool_call_gets_its_input_when_it_is_complete() -> None:
    called: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "weather", "input": {}}
    draft = drafted(BlockOpened(called), BlockClosed({"input": {"city": "Paris", "days": [1, 2]}}))
    assert draft.blocks == [{**called, "input": {"city": "Paris", "days": [1, 2]}}]
    assert called["input"] == {}


def test_a_tool_call_with_incomplete_input_differs_from_one_without_input() -> None:
    called: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "weather", "input": {}}
    assert drafted(BlockOpened(called)).blocks == [{**called, "raw_input": ""}]
    cut = drafted(BlockOpened(called), InputGrew('{"city": '), InputGrew('"Pa'))
    assert cut.blocks == [{**called, "raw_input": '{"city": "Pa'}]
    cut.apply(InputGrew('ris"}'))
    cut.apply(BlockClosed({"input": {"city": "Paris"}}))
    assert cut.blocks == [{**called, "input": {"city": "Paris"}}]
    assert drafted(BlockOpened(called), InputGrew(""), BlockClosed({})).blocks == [called]


def test_results_come_last_in_the_order_of_the_calls() -> None:
    ids = ["t1", "t2", "t3"]
    draft = drafted(*(BlockOpened({"type": "tool_use", "id": use_id}) for use_id in ids), BlockOpened(TEXT))
    for use_id in ("t2", "t3", "t1"):
        draft.add_result({"type": "tool_result", "tool_use_id": use_id})
    assert [block.get("id", block.get("tool_use_id", "")) for block in draft.blocks] == [*ids, "", *ids]


def test_a_server_tool_gets_its_input_when_it_is_complete() -> None:
    called = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    assert drafted(BlockOpened(called), InputGrew('{"query"')).blocks == [called]


def test_an_unknown_block_is_kept_unchanged() -> None:
    unknown = {"type": "server_tool_result", "content": [{"deep": {"er": None}}], "é": 1.5}
    assert drafted(BlockOpened(unknown), BlockClosed({})).blocks == [unknown]


def test_blocks_keep_the_order_in_which_they_opened() -> None:
    draft = drafted(
        *(BlockOpened(THINKING), BlockGrew("a"), BlockClosed({"signature": "s"})),
        *(BlockOpened(TEXT), BlockGrew("b"), BlockClosed({})),
        *(BlockOpened({"type": "tool_use", "input": {}}), BlockClosed({"input": {"c": 1}})),
        *(BlockOpened(TEXT), BlockGrew("d"), BlockClosed({})),
    )
    assert draft.blocks == [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "text", "text": "b"},
        {"type": "tool_use", "input": {"c": 1}},
        {"type": "text", "text": "d"},
    ]


def test_a_block_that_was_never_closed_keeps_its_text() -> None:
    draft = drafted(BlockOpened(TEXT), BlockGrew("a"), BlockOpened(TEXT), BlockGrew("b"))
    assert [block["text"] for block in draft.blocks] == ["a", "b"]


def test_growth_before_any_block_is_text() -> None:
    assert drafted(BlockGrew("Hel"), BlockGrew("lo")).blocks == [{"type": "text", "text": "Hello"}]


def test_closing_a_block_that_never_opened_is_harmless() -> None:
    assert drafted(BlockClosed({"signature": "s"})).blocks == []


def test_later_usage_replaces_only_the_fields_that_it_has() -> None:
    draft = drafted(UsageReported(Usage(input_tokens=7, output_tokens=1)), UsageReported(Usage(output_tokens=5)))
    assert draft.usage == Usage(input_tokens=7, output_tokens=5)


def test_the_draft_knows_the_stop_reason_and_the_models_name() -> None:
    draft = drafted(ReplyStarted("msg_1", "some-model-2026"), ReplyEnded("max_tokens"))
    assert (draft.model, draft.stop_reason) == ("some-model-2026", "max_tokens")


@pytest.mark.parametrize(
    "events",
    [(), (ReplyStarted("m", "m"),), (BlockOpened(TEXT),), (BlockOpened(THINKING), BlockClosed({"signature": "s"}))],
)
def test_a_reply_without_text_has_no_content(events: tuple[ReplyEvent, ...]) -> None:
    assert not drafted(*events).has_content


@pytest.mark.parametrize("block", [TEXT, THINKING])
def test_a_reply_has_content_from_its_first_word(block: dict[str, Any]) -> None:
    assert drafted(BlockOpened(block), BlockGrew("a")).has_content


def test_a_tool_call_is_content() -> None:
    assert drafted(BlockOpened({"type": "tool_use", "input": {}})).has_content


def test_blocks_that_were_read_do_not_change_when_the_draft_grows() -> None:
    draft = drafted(BlockOpened(TEXT), BlockGrew("a"))
    saved = draft.blocks
    draft.apply(BlockGrew("b"))
    assert saved == [{"type": "text", "text": "a"}]


class Piece(str):
    """A piece of text that cannot be added to another one: growth must be joined once, not copied each time."""

    def __add__(self, other: str) -> str:
        raise AssertionError("A long reply is copied at every piece.")

    __radd__ = __add__


def test_a_long_reply_is_not_copied_at_every_piece() -> None:
    draft = drafted(BlockOpened(TEXT), *(BlockGrew(Piece("ab")) for _ in range(1000)))
    assert draft.blocks[0]["text"] == "ab" * 1000


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["text", "thinking"]), st.lists(st.text(min_size=1)))))
def test_a_reply_is_the_same_however_its_text_is_cut(blocks: list[tuple[str, list[str]]]) -> None:
    cut, whole = Draft(), Draft()
    for kind, pieces in blocks:
        for draft, growth in ((cut, pieces), (whole, ["".join(pieces)])):
            draft.apply(BlockOpened({"type": kind, kind: ""}))
            for text in growth:
                draft.apply(BlockGrew(text))
            draft.apply(BlockClosed({"signature": "s"} if kind == "thinking" else {}))
    assert cut.blocks == whole.blocks
    assert [block[block["type"]] for block in cut.blocks] == ["".join(pieces) for _, pieces in blocks]
