"""Chat Completions: request bodies, and notes on what they leave out."""

from typing import Any

import pytest

from tests.upstreams.protocols.chunks import DONE, call, calls, chunk, replay
from tests.upstreams.protocols.reading import endpoint
from upstreams.chat import ChatMessage, ChatRequest, Effort
from upstreams.endpoint import AuthHeader, ProtocolName
from upstreams.errors import InvalidRequest
from upstreams.protocols import openai

TOOL = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}


def to(**settings: Any) -> Any:
    return endpoint(ProtocolName.OPENAI, **settings)


def user(*blocks: dict[str, Any] | str) -> ChatMessage:
    return ChatMessage("user", [{"type": "text", "text": b} if isinstance(b, str) else b for b in blocks])


def assistant(*blocks: dict[str, Any] | str) -> ChatMessage:
    return ChatMessage("assistant", user(*blocks).blocks)


def payload(*messages: ChatMessage, at: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    return openai.payload(ChatRequest("m", messages or (user("hi"),), **settings), to(**(at or {})))


def sent(*messages: ChatMessage, **settings: Any) -> list[dict[str, Any]]:
    return payload(*messages, **settings)["messages"]


def test_only_settings_that_are_set_are_sent() -> None:
    assert payload() == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_stream_options_are_only_sent_with_a_stream() -> None:
    assert "stream_options" not in payload(stream=False)


def test_settings_are_sent() -> None:
    body = payload(
        temperature=1.5, top_p=0.9, presence_penalty=-1, frequency_penalty=0, stop_sequences=("a", "b"), max_tokens=9
    )
    names = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "stop", "max_tokens")
    assert [body[name] for name in names] == [1.5, 0.9, -1, 0, ["a", "b"], 9]


def test_the_output_limit_has_the_name_that_the_provider_expects() -> None:
    body = payload(at={"max_tokens_field": "max_completion_tokens"}, max_tokens=9)
    assert body["max_completion_tokens"] == 9 and "max_tokens" not in body


def test_too_many_stop_sequences_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="4 stop sequences"):
        payload(stop_sequences=tuple("abcde"))


def test_top_k_is_sent_to_servers_that_accept_it_and_noted_otherwise() -> None:
    request = ChatRequest("m", [user("hi")], top_k=5)
    assert payload(at={"accepts_top_k": True}, top_k=5)["top_k"] == 5
    assert "top_k" not in payload(top_k=5)
    assert openai.notes(request, to(accepts_top_k=True)) == []
    assert "Top-k" in openai.notes(request, to())[0]


@pytest.mark.parametrize(("budget", "effort"), [(1024, "low"), (4096, "medium"), (12288, "high")])
def test_a_thinking_budget_is_sent_as_an_effort_to_servers_that_accept_it(budget: int, effort: str) -> None:
    assert payload(at={"reasoning_effort": True}, thinking_budget=budget)["reasoning_effort"] == effort
    assert "reasoning_effort" not in payload(thinking_budget=budget)
    assert len(openai.notes(ChatRequest("m", [user("hi")], thinking_budget=budget), to())) == 1


@pytest.mark.parametrize("effort", list(Effort))
def test_a_reasoning_effort_is_sent_unchanged(effort: Effort) -> None:
    asked: dict[str, Any] = {"reasoning_effort": effort, "thinking_budget": 2048}
    at = {"reasoning_effort": True}
    assert payload(at=at, **asked)["reasoning_effort"] == effort
    assert openai.notes(ChatRequest("m", [user("hi")], **asked), to(**at)) == []
    assert "reasoning_effort" not in payload(**asked)
    assert "reasoning effort" in openai.notes(ChatRequest("m", [user("hi")], **asked), to())[0]


def test_adaptive_thinking_is_left_to_the_model_and_noted() -> None:
    at = {"reasoning_effort": True}
    assert not {"reasoning_effort", "thinking"} & set(payload(at=at, thinks_adaptively=True))
    [note] = openai.notes(ChatRequest("m", [user("hi")], thinks_adaptively=True), to(**at))
    assert "adaptive thinking" in note


def test_the_key_goes_in_the_chosen_header() -> None:
    assert openai.headers(to(), stream=True)["authorization"] == "Bearer sk-very-secret"
    assert openai.headers(to(auth_header=AuthHeader.X_API_KEY), stream=True)["x-api-key"] == "sk-very-secret"
    assert set(openai.headers(to(key=""), stream=True)) == {"content-type", "accept"}


def test_the_system_prompt_is_the_first_message() -> None:
    assert sent(system="Be kind.")[0] == {"role": "system", "content": "Be kind."}


def test_messages_of_one_role_become_one_string() -> None:
    assert sent(user("a", " "), user("b"), assistant("c", "d"), user("e")) == [
        {"role": "user", "content": "a\n\nb"},
        {"role": "assistant", "content": "cd"},
        {"role": "user", "content": "e"},
    ]


def test_thinking_and_server_tools_are_left_out() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    assert sent(user("hi"), assistant(thought, search, "ok"), user("so?"))[1] == {"role": "assistant", "content": "ok"}


def test_images_are_sent_as_parts() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    assert sent(user("look", image, linked))[0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]


def test_a_pdf_is_sent_as_a_file_and_a_text_as_text() -> None:
    pdf = {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "A"},
    }
    text = {
        "type": "document",
        "title": "a.txt",
        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
    }
    assert sent(user(pdf, text))[0]["content"] == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,A"}},
        {"type": "text", "text": "a.txt\n\nwords"},
    ]
    assert sent(user(text))[0]["content"] == "a.txt\n\nwords"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
    ],
)
def test_attachments_stored_elsewhere_are_refused(block: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=block["type"]):
        payload(user(block))


def test_tool_calls_and_results_are_separate_messages() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    result = {
        "type": "tool_result",
        "tool_use_id": "a",
        "content": [{"type": "text", "text": "no"}, image],
        "is_error": True,
    }
    function = {"name": "f", "arguments": '{"x":1}'}
    assert sent(user("hi"), assistant("wait", TOOL), user("well?", result))[1:] == [
        {"role": "assistant", "content": "wait", "tool_calls": [{"id": "a", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "a", "content": "Error: no"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "text", "text": "well?"},
            ],
        },
    ]


def test_a_tool_call_goes_back_with_the_extra_fields_of_its_server() -> None:
    signed = {**TOOL, "extra_content": {"google": {"thought_signature": "s"}}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "yes"}
    answer = sent(user("hi"), assistant(signed), user(result))[1]
    assert answer["content"] == ""
    assert answer["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}


# Thinking beside tool calls

RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "1"}


@pytest.mark.parametrize(
    "sent_by_server",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
    ],
)
def test_thinking_goes_back_beside_its_calls_in_the_field_of_the_server(sent_by_server: dict[str, Any]) -> None:
    called = calls(call("{}", index=0, id="a", name="f"))
    read = replay(chunk(sent_by_server), called, chunk({}, "tool_calls"), DONE)
    [_, answer, _] = sent(user("hi"), assistant(*read.blocks), user(RESULT))
    function = {"name": "f", "arguments": "{}"}
    tool_calls = [{"id": "a", "type": "function", "function": function}]
    assert answer == {"role": "assistant", "content": "", **sent_by_server, "tool_calls": tool_calls}


def test_details_of_thinking_go_back_whole_with_signatures_and_encrypted_parts() -> None:
    text = {"type": "reasoning.text", "index": 0, "format": "x"}
    secret = {"type": "reasoning.encrypted", "index": 1, "id": "rs_1"}
    pieces = [
        {"reasoning": "Hm, ", "reasoning_details": [{**text, "text": "Hm, "}]},
        {"reasoning": "so", "reasoning_details": [{**text, "text": "so"}]},
        {"reasoning_details": [{**text, "text": "", "signature": "signed"}, {**secret, "data": "abcd"}]},
    ]
    called = calls(call("{}", index=0, id="a", name="f"))
    read = replay(*map(chunk, pieces), called, chunk({}, "tool_calls"), DONE)
    assert read.thinking == "Hm, so"
    [_, answer, _] = sent(user("hi"), assistant(*read.blocks), user(RESULT))
    whole = [{**text, "text": "Hm, so", "signature": "signed"}, {**secret, "data": "abcd"}]
    assert (answer["reasoning_details"], "reasoning" in answer) == (whole, False)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(
    "entries",
    [
        [
            {"type": "reasoning.encrypted", "id": "1", "data": "AA"},
            {"type": "reasoning.encrypted", "id": "2", "data": "B"},
        ],
        [{"type": "reasoning.encrypted", "data": "AA"}, {"type": "reasoning.encrypted", "data": "BB"}],
        [{"type": "reasoning.text", "text": "a"}, {"type": "reasoning.text", "text": "b"}],
        [{"type": "reasoning.text", "text": "a", "index": 0}, {"type": "reasoning.text", "text": "b", "index": 0}],
    ],
)
def test_different_details_stay_apart_also_late(entries: list[dict[str, Any]], is_late: bool) -> None:
    called = calls(call("{}", index=0, id="a", name="f"))
    said = [chunk({"content": "Let me see."}), called]
    details = [chunk({"reasoning_details": entries})]
    read = replay(*(said + details if is_late else details + said), chunk({}, "tool_calls"), DONE)
    [_, answer, _] = sent(user("hi"), assistant(*read.blocks), user(RESULT))
    assert (answer["reasoning_details"], answer["content"]) == (entries, "Let me see.")


@pytest.mark.parametrize("entry", [{"type": "reasoning.encrypted", "data": "ab"}, {"data": 1}, {}])
def test_details_without_text_go_back_too(entry: dict[str, Any]) -> None:
    called = calls(call("{}", index=0, id="a", name="f"))
    read = replay(chunk({"reasoning_details": [entry]}), called, chunk({}, "tool_calls"), DONE)
    [_, answer, _] = sent(user("hi"), assistant(*read.blocks), user(RESULT))
    assert answer["reasoning_details"] == [entry]


@pytest.mark.parametrize("written", ["<think>hm</think>", [{"type": "thinking", "thinking": "hm"}]])
def test_thinking_that_had_no_field_of_its_own_is_not_sent_back(written: Any) -> None:
    called = calls(call("{}", index=0, id="a", name="f"))
    read = replay(chunk({"content": written}), called, chunk({}, "tool_calls"), DONE)
    assert read.thinking == "hm"
    [_, answer, _] = sent(user("hi"), assistant(*read.blocks), user(RESULT))
    assert sorted(answer) == ["content", "role", "tool_calls"]


def test_thinking_without_calls_stays_here() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "", "reasoning_field": "reasoning_content"}
    assert sent(user("hi"), assistant(thought, "ok"), user("so?"))[1] == {"role": "assistant", "content": "ok"}


@pytest.mark.parametrize("left", [(), (TOOL,)])
def test_an_answer_of_nothing_but_thinking_is_left_out(left: tuple[dict[str, Any], ...]) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "", "reasoning_field": "reasoning_content"}
    assert sent(user("a"), assistant(thought, *left), user("b")) == [{"role": "user", "content": "a\n\nb"}]
