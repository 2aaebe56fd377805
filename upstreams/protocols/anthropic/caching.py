"""Cache marks for the Messages API: they end the part of a request that the next request will repeat."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from upstreams.protocols.history import has_text

MARK: Final = {"cache_control": {"type": "ephemeral"}}
_MARKABLE: Final = ("text", "image", "document", "tool_use", "tool_result")


def mark_stable_parts(body: Mapping[str, Any]) -> dict[str, Any]:
    """Marks the tools, the system prompt and the history before this turn. These are three of the four marks allowed.

    The server caches everything before a mark, in the order tools, system, messages. They are last in the body and in
    this order, so that a request begins with the same bytes as the previous one.
    """
    stable = {name: body[name] for name in ("tools", "system", "messages") if name in body}
    if stable.get("tools"):
        stable["tools"] = _mark_last(stable["tools"])
    if isinstance(system := stable.get("system"), str):
        stable["system"] = [{"type": "text", "text": system, **MARK}]
    stable["messages"] = _mark_history(stable["messages"])
    return {name: value for name, value in body.items() if name not in stable} | stable


def _mark_history(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Marks the end of the history, which is before the newest user message. Later messages still change."""
    newest = max((position for position, message in enumerate(messages) if message["role"] == "user"), default=0)
    marked = list(messages)
    if newest:
        last = marked[newest - 1]
        marked[newest - 1] = {**last, "content": _mark_last(last["content"])}
    return marked


def _mark_last(blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Marks the last block or tool that can have a mark. Thinking, empty text and unknown types cannot."""
    marked = list(blocks)
    for position in reversed(range(len(marked))):
        if _can_be_marked(marked[position]):
            marked[position] = {**marked[position], **MARK}
            break
    return marked


def _can_be_marked(block: Mapping[str, Any]) -> bool:
    if "input_schema" in block:
        return True
    return has_text(block) if block.get("type") == "text" else block.get("type") in _MARKABLE
