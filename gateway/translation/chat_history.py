"""Messages of the Messages API in the roles of the Chat Completions API."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.problems import Problem
from upstreams.chat import Block
from upstreams.protocols.openai_contents import Message, Unsendable, as_blocks, to_assistant_messages, to_user_messages


def chat_messages(system: str | Sequence[Block] | None, messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """What a model of another provider's thought, or did with that provider's tools, is left out."""
    sent = list(_system(as_blocks(system)))
    for place, message in enumerate(messages):
        blocks = [block for block in as_blocks(message["content"]) if block.get("text") != ""]
        try:
            match message["role"]:
                case "system":
                    sent += _system(blocks)
                case "assistant":
                    sent += to_assistant_messages([block for block in blocks if _is_said(block)])
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


def _is_said(block: Block) -> bool:
    if block.get("type") in ("image", "document"):
        raise Unsendable(block)
    return True


def _path(block: Block, content: Any, path: str) -> str:
    """Where the block stands in the content, or in that of a tool's result or a document within it."""
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
