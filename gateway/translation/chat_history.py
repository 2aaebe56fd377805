"""Translates messages of the Messages API into those of the Chat Completions API."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.ids import restore_tool_id, shorten_name
from gateway.problems import Problem
from gateway.translation.unsigned import find_tool_loop
from upstreams.chat import Block
from upstreams.protocols.openai.contents import Message, Unsendable, as_blocks, to_assistant_messages, to_user_messages

_OF_OTHER_PROVIDERS: Final = ("thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use")
"""Blocks of the assistant without which another model can continue. Results of servers' own tools belong to them."""

type Turn = tuple[str, list[Block]]
"""A role and its blocks."""


def chat_messages(system: str | Sequence[Block] | None, messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Leaves out the thinking of other providers' models, and the use of those providers' own tools.

    Many servers accept a system message at the beginning only, so a later one becomes part of a user's message.
    """
    instructions, turns = _join_turns(as_blocks(system), messages)
    sent: list[Message] = [{"role": "system", "content": instructions}] if instructions else []
    try:
        for role, blocks in turns:
            if role == "assistant":
                sent += to_assistant_messages([_to_server(block) for block in blocks if _is_sendable(block)])
            else:
                sent += to_user_messages([_to_server(block) for block in blocks])
    except Unsendable as unsendable:
        kind = unsendable.block.get("type")
        raise Problem.at(
            _find_path(unsendable.block, messages),
            f"blocks of type {kind!r} from this source are not supported by this model.",
        ) from None
    if not sent:
        raise Problem.at("messages", "must contain text, an image or a file.")
    return sent


def _join_turns(system: Sequence[Block], messages: Sequence[Mapping[str, Any]]) -> tuple[str, list[Turn]]:
    """The system prompt, and the turns with consecutive messages of the user joined."""
    instructions, turns, loop = [_join_text(system)], list[Turn](), find_tool_loop(messages)
    for place, message in enumerate(messages):
        role, blocks = message["role"], [block for block in as_blocks(message["content"]) if block.get("text") != ""]
        if place < loop:
            blocks = [block for block in blocks if block.get("type") != "thinking"]
        if role == "system" and not turns:
            instructions.append(_join_text(blocks))
            continue
        if role == "system":
            role, blocks = "user", [{"type": "text", "text": f"<system>\n{_join_text(blocks)}\n</system>"}]
        if role == "user" and turns and turns[-1][0] == "user":
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return "\n\n".join(filter(None, instructions)), turns


def _join_text(blocks: Sequence[Block]) -> str:
    return "\n\n".join(block["text"] for block in blocks if block.get("type") == "text" and block["text"])


def _is_sendable(block: Block) -> bool:
    """Whether a block of the assistant is for this server. Raises Unsendable if the answer depends on it."""
    kind = block.get("type", "")
    if kind in ("text", "tool_use") or (kind == "thinking" and not block.get("signature")):
        return True
    if kind in _OF_OTHER_PROVIDERS or kind.endswith("_tool_result"):
        return False
    raise Unsendable(block)


def _to_server(block: Block) -> Block:
    """Gives calls and results the server's ids, and names that it accepts."""
    match block:
        case {"type": "tool_use", "id": str(id), "name": str(name)}:
            return {**block, "id": restore_tool_id(id), "name": shorten_name(name)}
        case {"type": "tool_result", "tool_use_id": str(id)}:
            return {**block, "tool_use_id": restore_tool_id(id)}
    return block


def _find_path(block: Block, messages: Sequence[Mapping[str, Any]]) -> str:
    for place, message in enumerate(messages):
        start = f"messages.{place}.content"
        if (found := _path(block, message["content"], start)) != start:
            return found
    return "messages"


def _path(block: Block, content: Any, path: str) -> str:
    """The path of the block in the content, or in a tool result or document within it."""
    for place, each in enumerate(content if isinstance(content, list) else ()):
        if each is block:
            return f"{path}.{place}"
        source = each.get("source")
        for field, inner in (("content", each.get("content")), ("source.content", _content(source))):
            below = f"{path}.{place}.{field}"
            if (found := _path(block, inner, below)) != below:
                return found
    return path


def _content(source: Any) -> Any:
    return source.get("content") if isinstance(source, Mapping) else None
