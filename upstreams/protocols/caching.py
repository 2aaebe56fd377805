"""Marks for the Messages API's prompt cache: up to where a request begins as the next one will."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from upstreams.protocols.history import has_text

MARK: Final = {"cache_control": {"type": "ephemeral"}}
_MARKABLE: Final = ("text", "image", "document", "tool_use", "tool_result")


def marked(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with marks on what stays: the tools, the system prompt, and all that was settled before this turn.

    The server caches what stands before a mark in the order tools, system, messages; that they
    stand last, and in this order, makes the bytes of a request begin like those of the one before.
    At most three marks; four are allowed.
    """
    stable = {name: body[name] for name in ("tools", "system", "messages") if name in body}
    if stable.get("tools"):
        stable["tools"] = _with_last_marked(stable["tools"])
    if isinstance(system := stable.get("system"), str):
        stable["system"] = [{"type": "text", "text": system, **MARK}]
    stable["messages"] = _with_settled_marked(stable["messages"])
    return {name: value for name, value in body.items() if name not in stable} | stable


def _with_settled_marked(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What was settled ends before the newest message of a person's; what follows it is being written now."""
    newest = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=0)
    marked = list(messages)
    if newest:
        settled = marked[newest - 1]
        marked[newest - 1] = {**settled, "content": _with_last_marked(settled["content"])}
    return marked


def _with_last_marked(blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Tools, or the blocks of a message: thinking, empty text and unknown kinds take no mark."""
    marked = list(blocks)
    for place in reversed(range(len(marked))):
        if _can_be_marked(marked[place]):
            marked[place] = {**marked[place], **MARK}
            break
    return marked


def _can_be_marked(block: Mapping[str, Any]) -> bool:
    if "input_schema" in block:
        return True
    return has_text(block) if block.get("type") == "text" else block.get("type") in _MARKABLE
