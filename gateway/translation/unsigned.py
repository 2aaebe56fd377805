"""Removes thinking that no Messages server has signed: none of them accepts it back."""

from collections.abc import Mapping, Sequence
from typing import Any


def without_unsigned_thinking(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Messages body without unsigned thinking, which this gateway writes for models of other protocols.

    Leaves out messages of nothing else. Returns the same body if it has no such thinking. Servers that do not sign
    want their thinking back while tools are in use, so thinking without the field `signature` stays there.
    """
    if not any(_is_unsigned(block) for message in body["messages"] for block in _blocks(message)):
        return body
    messages, loop = [], find_tool_loop(body["messages"])
    for place, message in enumerate(body["messages"]):
        blocks = _blocks(message)
        kept = [block for block in blocks if not _is_unsigned(block) or (place > loop and "signature" not in block)]
        if len(kept) == len(blocks):
            messages.append(message)
        elif kept:
            messages.append({**message, "content": kept})
    return {**body, "messages": messages}


def find_tool_loop(messages: Sequence[Mapping[str, Any]]) -> int:
    """The place of the last message in which the user asks, and not a tool answers. The use of tools follows it."""
    return max((place for place, message in enumerate(messages) if _is_question(message)), default=-1)


def _is_question(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "user" and not any(block.get("type") == "tool_result" for block in _blocks(message))


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_unsigned(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "thinking" and not block.get("signature")
