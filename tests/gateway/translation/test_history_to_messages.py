"""Messages of the Chat Completions API for a Messages server."""

from typing import Any

import pytest

from gateway.problems import Problem
from tests.gateway.dialects.bodies import refused
from tests.gateway.translation.translating import HELLO, asked_in_chat, to_messages

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
USE = {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
HI = {"role": "user", "content": [{"type": "text", "text": "hi"}]}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def sent(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    told = to_messages(asked_in_chat(messages=list(messages)))
    assert told.dropped == []
    messages_sent: list[dict[str, Any]] = told.body["messages"]
    return messages_sent


def test_leading_system_messages_are_the_system_prompt() -> None:
    system = {"role": "system", "content": "Be kind."}
    developer = {"role": "developer", "content": [text("Be brief."), text("")]}
    told = to_messages(asked_in_chat(messages=[system, developer, *HELLO]))
    assert (told.body["system"], told.body["messages"]) == ([text("Be kind."), text("Be brief.")], [HI])
    assert told.dropped == []


def test_later_system_messages_join_the_system_prompt_and_are_named() -> None:
    later = {"role": "system", "content": "Now in French."}
    told = to_messages(asked_in_chat(messages=[{"role": "system", "content": "Be kind."}, *HELLO, later]))
    assert told.body["system"] == [text("Be kind."), text("Now in French.")]
    assert told.dropped == ["messages.2.role"]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_prompt_alone_is_the_question(role: str) -> None:
    told = to_messages(asked_in_chat(messages=[{"role": role, "content": "Say hi"}, {"role": "user", "content": " "}]))
    assert told.body["messages"] == [{"role": "user", "content": [text("Say hi")]}]
    assert "system" not in told.body


@pytest.mark.parametrize("content", ["", " \n", [], [text("")]])
def test_a_conversation_without_content_is_refused(content: Any) -> None:
    with pytest.raises(Problem) as raised:
        sent({"role": "system", "content": content}, {"role": "user", "content": content})
    assert refused(raised) == "messages"


def test_a_conversation_that_the_assistant_began_begins_with_a_user() -> None:
    first, *others = sent({"role": "assistant", "content": "Hello!"}, *HELLO)
    assert first["role"] == "user" and first["content"][0]["text"].strip()
    assert others == [{"role": "assistant", "content": [text("Hello!")]}, HI]


JPEG, PNG, GIF = "/9j/4AAQSkZJRgABAQAAAQABAAD", "iVBORw0KGgoAAAANSUhEUg", "R0lGODlhAQABAAAAACw"
WEBP = "UklGRiQAAABXRUJQVlA4"


@pytest.mark.parametrize(
    ("declared", "data", "sent_as"),
    [
        ("image/jpg", JPEG, "image/jpeg"),
        ("image/JPG", "AAAA", "image/jpeg"),
        ("image/pjpeg", "AAAA", "image/jpeg"),
        ("image/x-png", "AAAA", "image/png"),
        ("image/png", JPEG, "image/jpeg"),
        ("image/*", PNG, "image/png"),
        ("", GIF, "image/gif"),
        ("application/octet-stream", WEBP, "image/webp"),
        ("image/png", "=", "image/png"),
    ],
)
def test_an_image_has_the_type_of_its_data(declared: str, data: str, sent_as: str) -> None:
    url = f"data:{declared};base64,{data}"
    [message] = sent({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    assert message["content"][0]["source"] == {"type": "base64", "media_type": sent_as, "data": data}


@pytest.mark.parametrize("declared", ["application/octet-stream", "application/x-pdf", "text/plain"])
def test_a_pdf_is_known_by_its_data(declared: str) -> None:
    file = {"type": "file", "file": {"file_data": f"data:{declared};base64,JVBERi0xLjcK"}}
    [message] = sent({"role": "user", "content": [file]})
    assert message["content"][0]["source"]["media_type"] == "application/pdf"


def test_messages_of_one_role_become_one_and_empty_ones_go() -> None:
    assert sent(
        *HELLO,
        {"role": "user", "content": [text("again"), text(" ")]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "so?"},
        {"role": "assistant", "content": [text("a"), {"type": "refusal", "refusal": "b"}]},
        {"role": "assistant", "content": None, "refusal": "c"},
        {"role": "user", "content": "why?"},
    ) == [
        {"role": "user", "content": [text("hi"), text("again"), text("so?")]},
        {"role": "assistant", "content": [text("a"), text("b"), text("c")]},
        {"role": "user", "content": [text("why?")]},
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/WebP;base64,AAAA", "detail": "high"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "AAAA"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                "title": "a.pdf",
            },
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/csv;charset=utf-8;base64,w6k="}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
        ),
    ],
)
def test_a_part_has_its_block(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert sent({"role": "user", "content": [text("look"), part]}) == [
        {"role": "user", "content": [text("look"), block]}
    ]


def test_tool_calls_and_results_are_blocks_with_the_results_first() -> None:
    second = {**CALL, "id": "call_2", "function": {"name": "g", "arguments": ""}}
    assert sent(
        *HELLO,
        {"role": "assistant", "content": "wait", "tool_calls": [CALL, second], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "call_1", "content": "yes"},
        {"role": "user", "content": "well?"},
        {"role": "tool", "tool_call_id": "call_2", "content": [text("a"), text("b")]},
    )[1:] == [
        {"role": "assistant", "content": [text("wait"), USE, {**USE, "id": "call_2", "name": "g", "input": {}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "yes"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": [text("a"), text("b")]},
                text("well?"),
            ],
        },
    ]


def test_ids_that_the_server_would_refuse_are_replaced_alike_in_call_and_result() -> None:
    ids = ("functions.f:0", "functions.f.0", "functions_f_0")
    _, said, answered = sent(
        *HELLO,
        {"role": "assistant", "tool_calls": [{**CALL, "id": id} for id in ids]},
        *({"role": "tool", "tool_call_id": id, "content": ""} for id in ids),
    )
    called = [block["id"] for block in said["content"]]
    assert called == [block["tool_use_id"] for block in answered["content"]]
    assert len(set(called)) == 3 and called[2] == "functions_f_0"
    assert all(set(id) <= set("functions_f_0123456789abcdef") for id in called)


def test_a_prefilled_answer_ends_without_white_space() -> None:
    assert sent(*HELLO, {"role": "assistant", "content": "Once upon a time, \n"})[-1]["content"] == [
        text("Once upon a time,")
    ]


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]},
            "content.0.type",
        ),
        ({"role": "user", "content": [text("x"), {"type": "hologram"}]}, "content.1.type"),
        ({"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}, "content.0.file.file_data"),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:image/png;base64,AAAA"}}]},
            "content.0.file.file_data",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}]},
            "content.0.file.file_data",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AAAA"}}]},
            "content.0.image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,AAAA"}}]},
            "content.0.image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]},
            "content.0.image_url.url",
        ),
        ({"role": "assistant", "audio": {"id": "a"}}, "audio"),
        ({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
        ({"role": "function", "name": "f", "content": "x"}, "role"),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{a"}}]},
            "tool_calls.0.function.arguments",
        ),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "[]"}}]},
            "tool_calls.0.function.arguments",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "c", "input": ""}}]},
            "tool_calls.0.type",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_field_that_changes_the_answer_is_refused_by_its_path(message: dict[str, Any], path: str) -> None:
    with pytest.raises(Problem) as raised:
        sent(*HELLO, message)
    assert refused(raised) == f"messages.1.{path}"
