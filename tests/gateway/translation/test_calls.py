"""The calls of a translated reply have ids that occur once, and that find their way back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ids import MAX_NAME, make_tool_id, restore_tool_id, shorten_name
from gateway.translation import ReplyCalls
from tests.gateway.translation.translating import asked_in_chat, asked_in_messages, to_chat
from upstreams.endpoint import ProtocolName
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, InputGrew

texts = st.text() | st.text("call_0:.functions", max_size=20)


def call(id: str, name: str = "f") -> BlockOpened:
    return BlockOpened({"type": "tool_use", "id": id, "name": name, "input": {}})


def translated(calls: ReplyCalls, *ids: str) -> list[str]:
    events = [event for id in ids for event in (call(id), InputGrew("{}"), BlockClosed({"input": {}, "id": id}))]
    opened = [event.block["id"] for event in calls.translate(events) if isinstance(event, BlockOpened)]
    assert not any("id" in event.fields for event in calls.translate(events) if isinstance(event, BlockClosed))
    return opened


def in_messages(*ids: str) -> dict[str, Any]:
    uses = [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in ids]
    results = [{"type": "tool_result", "tool_use_id": id, "content": id} for id in ids]
    asked = {"role": "user", "content": "hi"}
    return asked_in_messages(
        messages=[asked, {"role": "assistant", "content": uses}, {"role": "user", "content": results}]
    )


@pytest.mark.parametrize("protocol", list(ProtocolName))
@given(earlier=st.lists(texts.filter(bool), max_size=3, unique=True), ids=st.lists(texts, min_size=1, max_size=4))
def test_ids_are_unique_within_and_between_replies(protocol: ProtocolName, earlier: list[str], ids: list[str]) -> None:
    if protocol is ProtocolName.ANTHROPIC:
        earlier = [make_tool_id(id) for id in earlier]
        body = in_messages(*earlier)
    else:
        calls = [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id in earlier]
        body = asked_in_chat(messages=[{"role": "assistant", "tool_calls": calls}])
    given_out = translated(ReplyCalls(body, protocol), *ids)
    assert len({*earlier, *given_out}) == len(earlier) + len(ids) and all(given_out)


def test_an_id_that_is_not_repeated_stays_as_it_is() -> None:
    for protocol, body in ((ProtocolName.ANTHROPIC, in_messages("call_0")), (ProtocolName.OPENAI, asked_in_chat())):
        assert translated(ReplyCalls(body, protocol), "call_1", "toolu_2") == ["call_1", "toolu_2"]


@given(texts)
def test_an_id_is_restored_for_its_server(id: str) -> None:
    made = make_tool_id(id)
    assert restore_tool_id(made) == (id or made)


@given(st.lists(st.text("ab_:.", min_size=1, max_size=6), min_size=1, max_size=4, unique=True))
def test_calls_and_results_go_back_to_the_server_with_the_same_ids(ids: list[str]) -> None:
    given_out = translated(ReplyCalls(asked_in_messages(), ProtocolName.ANTHROPIC), *ids)
    _, said, *results = to_chat(in_messages(*given_out)).body["messages"]
    assert [each["id"] for each in said["tool_calls"]] == ids == [each["tool_call_id"] for each in results]


def test_other_events_stay_the_same() -> None:
    events = [BlockOpened({"type": "text", "text": ""}), BlockGrew("a"), BlockClosed({"id": "x"})]
    assert ReplyCalls(asked_in_messages(), ProtocolName.ANTHROPIC).translate(events) == events


@given(st.text(min_size=1, max_size=200))
def test_a_name_is_short_enough_and_stays_the_same_if_it_was(name: str) -> None:
    short = shorten_name(name)
    assert 0 < len(short) <= MAX_NAME and short == shorten_name(name) == shorten_name(short)
