"""Messages of the Messages API for a Chat Completions server."""

from typing import Any

import pytest

from gateway.problems import Problem
from tests.gateway.dialects.bodies import refused
from tests.gateway.translation.translating import asked_in_messages, to_chat

USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
LINKED = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
LINKED_PART = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def sent(*messages: tuple[str, Any], **fields: Any) -> list[dict[str, Any]]:
    told = [{"role": role, "content": content} for role, content in messages]
    body = to_chat(asked_in_messages(messages=told, **fields))
    assert body.dropped == []
    messages_sent: list[dict[str, Any]] = body.body["messages"]
    return messages_sent


@pytest.mark.parametrize(
    ("system", "first"),
    [
        ("Be kind.", [{"role": "system", "content": "Be kind."}]),
        ([text("a", cache_control={"type": "ephemeral"}), text("b")], [{"role": "system", "content": "a\n\nb"}]),
        ("", []),
        ([], []),
    ],
)
def test_the_system_prompt_is_the_first_message(system: Any, first: list[dict[str, Any]]) -> None:
    assert sent(("user", "hi"), system=system) == [*first, {"role": "user", "content": "hi"}]


def test_a_later_system_message_keeps_its_place_within_a_users_message() -> None:
    assert sent(("system", "Be kind."), ("user", "hi"), ("system", "Now in French."), ("user", "so?")) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hi\n\n<system>\nNow in French.\n</system>\n\nso?"},
    ]
    assert sent(("user", "hi"), ("assistant", "ok"), ("system", "Now in French.")) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "<system>\nNow in French.\n</system>"},
    ]


def test_a_later_system_message_does_not_part_a_call_from_its_result() -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    messages = sent(("user", "hi"), ("assistant", [USE]), ("system", "Be brief."), ("user", [result]))
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]


@pytest.mark.parametrize("content", ["", [], [text("")]])
def test_a_conversation_without_content_is_refused(content: Any) -> None:
    with pytest.raises(Problem) as raised:
        sent(("user", content))
    assert refused(raised) == "messages"


def test_text_alone_is_a_string() -> None:
    words = [text("a", cache_control={"type": "ephemeral"}), text(""), text("b")]
    assert sent(("user", words), ("assistant", words), ("user", "")) == [
        {"role": "user", "content": "a\n\nb"},
        {"role": "assistant", "content": "ab"},
    ]


def test_images_and_files_are_parts() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
    document = {"type": "document", "source": pdf, "title": "a.pdf"}
    file = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    assert sent(("user", [text("look"), IMAGE, LINKED, document]))[0]["content"] == [
        text("look"),
        IMAGE_PART,
        LINKED_PART,
        {"type": "file", "file": file},
    ]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}, "words"),
        ({"type": "document", "title": "T", "source": {"type": "content", "content": "words"}}, "T\n\nwords"),
        ({"type": "document", "source": {"type": "content", "content": [text("a"), text("b")]}}, "a\n\nb"),
        ({"type": "search_result", "title": "T", "source": "S", "content": [text("a")]}, "T\n\nS\n\na"),
    ],
)
def test_documents_of_text_are_text(block: dict[str, Any], words: str) -> None:
    assert sent(("user", [block])) == [{"role": "user", "content": words}]


def test_tool_calls_and_results_are_messages_of_their_own() -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_1"}
    other = {"type": "tool_result", "tool_use_id": "toolu_2", "content": [text("no"), text("way")], "is_error": True}
    answered = [{**result, "content": [text("yes"), IMAGE]}, other, text("well?")]
    assert sent(("user", "hi"), ("assistant", [text("wait"), USE, {**USE, "id": "toolu_2"}]), ("user", answered)) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "wait", "tool_calls": [CALL, {**CALL, "id": "toolu_2"}]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "yes"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no\n\nway"},
        {"role": "user", "content": [IMAGE_PART, text("well?")]},
    ]
    assert sent(("user", [result])) == [{"role": "tool", "tool_call_id": "toolu_1", "content": ""}]


def test_a_call_keeps_the_extra_fields_of_its_server() -> None:
    signed = {
        **USE,
        "extra_content": {"google": {"thought_signature": "s"}},
        "caller": {"type": "direct"},
        "toolset": None,
    }
    assert sent(("user", "hi"), ("assistant", [signed]))[1]["tool_calls"] == [
        {**CALL, "extra_content": {"google": {"thought_signature": "s"}}}
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "mcp_tool_use", "id": "s", "name": "f", "server_name": "m", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "s", "content": []},
    ],
)
def test_blocks_of_other_providers_are_left_out(block: dict[str, Any]) -> None:
    assert sent(("user", "hi"), ("assistant", [block, text("ok")]), ("assistant", [block])) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "ok"},
    ]


ELSEWHERE = {"type": "image", "source": {"type": "file", "file_id": "f"}}


@pytest.mark.parametrize(
    ("role", "blocks", "path"),
    [
        ("user", [text("look"), ELSEWHERE], "1"),
        ("user", [{"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}}], "0"),
        ("user", [{"type": "document", "source": {"type": "file", "file_id": "f"}}], "0"),
        ("user", [{"type": "container_upload", "file_id": "f"}], "0"),
        ("user", [{"type": "tool_result", "tool_use_id": "a", "content": [text("x"), ELSEWHERE]}], "0.content.1"),
        (
            "user",
            [text("x"), {"type": "document", "source": {"type": "content", "content": [text("a"), IMAGE]}}],
            "1.source.content.1",
        ),
        ("assistant", [text("look"), IMAGE], "1"),
        ("assistant", [text("look"), {"type": "hologram", "beam": 7}], "1"),
        ("assistant", [{"type": "compaction", "content": "They spoke."}], "0"),
        ("user", [{"type": "hologram", "beam": 7}], "0"),
    ],
)
def test_a_field_that_changes_the_answer_is_refused_by_its_path(role: str, blocks: list[Any], path: str) -> None:
    with pytest.raises(Problem) as raised:
        sent(("user", "hi"), (role, blocks))
    assert refused(raised) == f"messages.1.content.{path}"


def test_content_beside_calls_is_never_null() -> None:
    [_, said, _] = sent(
        ("user", "hi"), ("assistant", [USE]), ("user", [{"type": "tool_result", "tool_use_id": "toolu_1"}])
    )
    assert said == {"role": "assistant", "content": "", "tool_calls": [CALL]}
