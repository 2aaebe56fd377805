"""Removes thinking that no Messages server has signed: none of them accepts it back."""

from collections.abc import Mapping
from typing import Any


def without_unsigned_thinking(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Messages body without unsigned thinking, which this gateway writes for models of other protocols.

    Leaves out messages of nothing else. Returns the same body if it has no such thinking.
    """
    if not any(_is_unsigned(block) for message in body["messages"] for block in _blocks(message)):
        return body
    messages = []
    for message in body["messages"]:
        blocks = _blocks(message)
        kept = [block for block in blocks if not _is_unsigned(block)]
        if len(kept) == len(blocks):
            messages.append(message)
        elif kept:
            messages.append({**message, "content": kept})
    return {**body, "messages": messages}


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_unsigned(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "thinking" and not block.get("signature")
