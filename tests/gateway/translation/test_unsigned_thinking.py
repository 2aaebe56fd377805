"""Unsigned thinking does not go back to a Messages server."""

from typing import Any

from gateway.translation import without_unsigned_thinking

OURS = {"type": "thinking", "thinking": "hm", "signature": ""}
THEIRS = {"type": "thinking", "thinking": "hm", "signature": "s"}
TEXT = {"type": "text", "text": "ok"}


def body(*contents: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "assistant", "content": content} for content in contents]}


def test_only_unsigned_thinking_is_removed() -> None:
    assert without_unsigned_thinking(body([OURS, THEIRS, TEXT], "hi", [OURS])) == body([THEIRS, TEXT], "hi")


def test_a_request_without_thinking_stays_the_same() -> None:
    whole = body([THEIRS, TEXT], "hi")
    assert without_unsigned_thinking(whole) is whole


UNSIGNED = {"type": "thinking", "thinking": "hm"}
USE = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "ok"}


def conversation(*contents: tuple[str, Any]) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": role, "content": content} for role, content in contents]}


def test_thinking_of_a_server_that_does_not_sign_goes_back_while_tools_are_in_use() -> None:
    using = conversation(
        ("user", "hi"), ("assistant", [UNSIGNED, USE]), ("user", [RESULT]), ("assistant", [UNSIGNED, USE])
    )
    assert without_unsigned_thinking(using) == using
    asked_again = conversation(("user", "hi"), ("assistant", [UNSIGNED, USE]), ("user", [RESULT]), ("user", "and?"))
    assert without_unsigned_thinking(asked_again)["messages"][1]["content"] == [USE]


def test_thinking_that_we_wrote_does_not_go_back_while_tools_are_in_use() -> None:
    using = conversation(("user", "hi"), ("assistant", [OURS, USE]), ("user", [RESULT]))
    assert without_unsigned_thinking(using)["messages"][1]["content"] == [USE]
