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
