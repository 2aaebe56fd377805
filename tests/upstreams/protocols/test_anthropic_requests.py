"""The Messages API: request bodies, and notes on what they leave out."""

from typing import Any

import pytest

from tests.upstreams.protocols.reading import endpoint
from upstreams.chat import ChatMessage, ChatRequest, Effort
from upstreams.endpoint import AuthHeader, ProtocolName
from upstreams.protocols import anthropic

TO = endpoint(ProtocolName.ANTHROPIC, caches_prompts=False)
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}


def user(*texts: str) -> ChatMessage:
    return ChatMessage("user", [{"type": "text", "text": text} for text in texts])


def assistant(*texts: str) -> ChatMessage:
    return ChatMessage("assistant", [{"type": "text", "text": text} for text in texts])


def payload(*messages: ChatMessage, **settings: Any) -> dict[str, Any]:
    return anthropic.payload(ChatRequest("m", messages or (user("hi"),), **settings), TO)


def notes(**settings: Any) -> list[str]:
    return anthropic.notes(ChatRequest("m", [user("hi")], **settings), TO)


def test_only_settings_that_are_set_are_sent() -> None:
    hi = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert payload() == {"model": "m", "max_tokens": 4096, "messages": hi, "stream": True}
    assert notes() == []


def test_settings_are_sent() -> None:
    sent = payload(system="Be kind.", max_tokens=9, temperature=0.5, top_k=3, stop_sequences=("END",), stream=False)
    assert {name: sent[name] for name in sent if name not in ("model", "messages")} == {
        "system": "Be kind.",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_k": 3,
        "stop_sequences": ["END"],
        "stream": False,
    }


def test_the_key_goes_in_the_chosen_header() -> None:
    assert anthropic.headers(TO, stream=True)["authorization"] == "Bearer sk-very-secret"
    other = endpoint(ProtocolName.ANTHROPIC, auth_header=AuthHeader.X_API_KEY, beta="a,b")
    sent = anthropic.headers(other, stream=False)
    assert (sent["x-api-key"], sent["anthropic-beta"], sent["accept"]) == ("sk-very-secret", "a,b", "application/json")
    assert "authorization" not in sent and sent["anthropic-version"] == "2023-06-01"


def test_without_a_key_no_header_is_sent() -> None:
    sent = anthropic.headers(endpoint(ProtocolName.ANTHROPIC, key=""), stream=True)
    assert not {"authorization", "x-api-key", "anthropic-beta"} & set(sent)


def test_adjacent_messages_of_one_role_are_merged() -> None:
    sent = payload(user("a"), user("b"), assistant("c"), user("d"))["messages"]
    assert [(m["role"], [b["text"] for b in m["content"]]) for m in sent] == [
        ("user", ["a", "b"]),
        ("assistant", ["c"]),
        ("user", ["d"]),
    ]


def test_empty_messages_are_left_out() -> None:
    sent = payload(user("", " \n"), user("a", ""), ChatMessage("assistant", []), user("b"))["messages"]
    assert [[b["text"] for b in m["content"]] for m in sent] == [["a", "b"]]


def test_the_first_message_is_a_user_message() -> None:
    assert [m["role"] for m in payload(assistant("Welcome"), user("hi"))["messages"]] == ["user"]


def test_a_reply_to_continue_ends_without_white_space() -> None:
    sent = payload(user("hi"), assistant("Once upon a time, \n"))["messages"]
    assert sent[-1] == {"role": "assistant", "content": [{"type": "text", "text": "Once upon a time,"}]}


@pytest.mark.parametrize("asked", [{"thinking_budget": 2048}, {"thinks_adaptively": True}])
def test_a_reply_to_continue_has_no_thinking_and_turns_thinking_off(asked: dict[str, Any]) -> None:
    begun = ChatMessage(
        "assistant", [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "So"}]
    )
    request = ChatRequest("m", [user("hi"), begun], **asked)
    sent = anthropic.payload(request, TO)
    assert sent["messages"][-1]["content"] == [{"type": "text", "text": "So"}]
    assert sent["thinking"] == {"type": "disabled"} and len(anthropic.notes(request, TO)) == 1


@pytest.mark.parametrize(
    "block", [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "thinking", "thinking": "hm"}]
)
def test_thinking_without_a_signature_does_not_go_back(block: dict[str, Any]) -> None:
    sent = payload(user("hi"), ChatMessage("assistant", [block, {"type": "text", "text": "ok"}]), user("go on"))
    assert sent["messages"][1]["content"] == [{"type": "text", "text": "ok"}]


def test_thinking_without_a_signature_goes_back_in_an_open_tool_loop() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    call, result = TOOL, {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    loop = [ChatMessage("assistant", [thought, call]), ChatMessage("user", [result])]
    assert payload(user("hi"), *loop)["messages"][1]["content"] == [thought, call]
    later = payload(
        user("hi"), *loop, ChatMessage("assistant", [thought, {"type": "text", "text": "ok"}]), user("and?")
    )
    assert [block["type"] for block in later["messages"][1]["content"]] == ["tool_use"]
    assert [block["type"] for block in later["messages"][3]["content"]] == ["text"]


def test_tool_results_come_first() -> None:
    call, result = TOOL, {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    text = {"type": "text", "text": "and?"}
    sent = payload(user("hi"), ChatMessage("assistant", [call]), ChatMessage("user", [text, result]))
    assert sent["messages"][2]["content"] == [result, text]


def test_unpaired_tool_calls_and_results_are_left_out() -> None:
    orphan = {"type": "tool_result", "tool_use_id": "nobody", "content": "x"}
    said = ChatMessage("assistant", [{"type": "text", "text": "I will look."}, TOOL])
    sent = payload(user("hi"), said, ChatMessage("user", [orphan, {"type": "text", "text": "well?"}]))
    assert [[b["type"] for b in m["content"]] for m in sent["messages"]] == [["text"], ["text"], ["text"]]


def test_a_tool_call_goes_back_without_fields_of_other_protocols() -> None:
    call = {**TOOL, "raw_input": "{", "extra_content": {"google": {}}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    sent = payload(user("hi"), ChatMessage("assistant", [call]), ChatMessage("user", [result]))
    assert sent["messages"][1]["content"] == [TOOL]


def test_a_thinking_budget_raises_the_output_limit() -> None:
    sent = payload(thinking_budget=2048)
    assert (sent["thinking"], sent["max_tokens"]) == ({"type": "enabled", "budget_tokens": 2048}, 2048 + 4096)


def test_adaptive_thinking_has_a_higher_output_limit_and_no_budget() -> None:
    sent = payload(thinks_adaptively=True)
    assert (sent["thinking"], sent["max_tokens"]) == ({"type": "adaptive"}, 16384)
    assert payload(thinks_adaptively=True, max_tokens=9)["max_tokens"] == 9


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_an_effort_is_sent_to_models_that_accept_it(effort: str) -> None:
    asked: dict[str, Any] = {"reasoning_effort": Effort(effort), "takes_effort": True}
    assert payload(**asked)["output_config"] == {"effort": effort} and notes(**asked) == []


@pytest.mark.parametrize(
    ("wanted", "left_out"),
    [
        ({"temperature": 0.5, "thinking_budget": 2048}, "temperature"),
        ({"top_p": 0.5, "thinking_budget": 2048}, "top_p"),
        ({"top_k": 5, "thinking_budget": 2048}, "top_k"),
        ({"temperature": 0.5, "thinks_adaptively": True}, "temperature"),
        ({"top_k": 5, "thinks_adaptively": True}, "top_k"),
        ({"reasoning_effort": Effort.HIGH}, "output_config"),
        ({"reasoning_effort": Effort.MINIMAL, "takes_effort": True}, "output_config"),
        ({"temperature": 0.5, "top_p": 0.5}, "top_p"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
        ({"frequency_penalty": -1.0}, "frequency_penalty"),
    ],
)
def test_unsupported_settings_are_left_out_and_noted(wanted: dict[str, Any], left_out: str) -> None:
    assert left_out not in payload(**wanted)
    [note] = notes(**wanted)
    assert left_out.partition("_")[0].replace("output", "effort") in note.lower()


@pytest.mark.parametrize(
    "wanted", [{"temperature": 1, "thinking_budget": 2048}, {"top_p": 0.97, "thinking_budget": 2048}]
)
def test_sampling_that_thinking_allows_is_sent(wanted: dict[str, Any]) -> None:
    name = next(iter(wanted))
    assert payload(**wanted)[name] == wanted[name] and notes(**wanted) == []


def test_a_temperature_above_the_maximum_is_lowered_and_noted() -> None:
    assert payload(temperature=1.5)["temperature"] == 1
    assert "Temperature" in notes(temperature=1.5)[0]


def test_penalties_of_zero_need_no_note() -> None:
    assert notes(presence_penalty=0, frequency_penalty=0) == []
