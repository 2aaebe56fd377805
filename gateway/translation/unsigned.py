"""Thinking that no Messages server signed: it was told by another kind of model, and none takes it back."""

from collections.abc import Mapping
from typing import Any


def without_unsigned_thinking(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Messages body without the thinking that this gateway told in blocks of its own making.

    A message of nothing else is left out. The body itself is returned where there is nothing to do.
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
    content = message["content"]
    return content if isinstance(content, list) else []


def _is_unsigned(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "thinking" and not block.get("signature")
