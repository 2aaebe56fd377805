"""Translates messages of the Messages API into those of the Chat Completions API."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.problems import Problem
from upstreams.chat import Block
from upstreams.protocols.openai_contents import Message, Unsendable, as_blocks, to_assistant_messages, to_user_messages


def chat_messages(system: str | Sequence[Block] | None, messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Leaves out the thinking of other providers' models, and the use of those providers' own tools."""
    sent = list(_system(as_blocks(system)))
    for place, message in enumerate(messages):
        blocks = [block for block in as_blocks(message["content"]) if block.get("text") != ""]
        try:
            match message["role"]:
                case "system":
                    sent += _system(blocks)
                case "assistant":
                    sent += to_assistant_messages([block for block in blocks if _is_sendable(block)])
                case _:
                    sent += to_user_messages(blocks)
        except Unsendable as unsendable:
            path = _path(unsendable.block, message["content"], f"messages.{place}.content")
            kind = unsendable.block.get("type")
            raise Problem.at(
                path, f"blocks of type {kind!r} from this source are not supported by this model."
            ) from None
    return sent


def _system(blocks: Sequence[Block]) -> Iterator[Message]:
    if text := "\n\n".join(block["text"] for block in blocks if block.get("type") == "text" and block["text"]):
        yield {"role": "system", "content": text}


def _is_sendable(block: Block) -> bool:
    if block.get("type") in ("image", "document"):
        raise Unsendable(block)
    return True


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
