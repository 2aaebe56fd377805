"""Translates blocks of the Messages API into messages and parts of the Chat Completions API."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from upstreams.chat import Block
from upstreams.protocols.openai.details import DETAILS
from upstreams.wire.tolerant_json import dump

type Message = dict[str, Any]
type Part = dict[str, Any]

_OWN_TOOL_FIELDS: Final = ("type", "id", "name", "input", "raw_input", "caller", "cache_control")
REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details")
"""The fields in which servers send thinking. Each expects it back in its own."""
_WORDS: Final = ("text", "search_result")


class Unsendable(ValueError):
    """`block` has no equivalent in this protocol, and leaving it out would change the question."""

    def __init__(self, block: Block) -> None:
        super().__init__(f"{block.get('type')} has no equivalent")
        self.block = block


def to_assistant_messages(blocks: Sequence[Block]) -> Iterator[Message]:
    """Yields at most one message, with the text and the tool calls. Other blocks are dropped.

    Thinking goes with the calls that it led to, since servers refuse those calls without it.
    """
    text = "".join(block["text"] for block in blocks if block.get("type") == "text")
    # Some servers fail on a null beside calls.
    message: Message = {"role": "assistant", "content": text}
    if calls := [_build_tool_call(block) for block in blocks if block.get("type") == "tool_use"]:
        message |= {**_build_reasoning(blocks), "tool_calls": calls}
    if text or calls:
        yield message


def to_user_messages(blocks: Sequence[Block]) -> Iterator[Message]:
    """Tool results become separate messages, which must precede what the person says."""
    parts: list[Part] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            inner = as_blocks(block.get("content"))
            text = "\n\n".join(part["text"] for b in inner if b.get("type") in _WORDS for part in _build_parts(b))
            content = f"Error: {text}" if block.get("is_error") else text
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id", ""), "content": content}
            parts += [part for b in inner if b.get("type") not in _WORDS for part in _build_parts(b)]
        else:
            parts += _build_parts(block)
    if parts:
        yield {"role": "user", "content": _build_content(parts)}


def as_blocks(content: str | Sequence[Block] | None) -> Sequence[Block]:
    """Turns a string into one block of text."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _build_reasoning(blocks: Sequence[Block]) -> dict[str, Any]:
    thoughts = [block for block in blocks if block.get("reasoning_field") in REASONING_FIELDS]
    if not thoughts:
        return {}
    if details := [entry for block in thoughts for entry in block.get(DETAILS, ())]:
        return {DETAILS: details}
    field, text = thoughts[-1]["reasoning_field"], "".join(block["thinking"] for block in thoughts)
    return {field: [{"type": "reasoning.text", "text": text}] if field == "reasoning_details" else text}


def _build_tool_call(block: Block) -> dict[str, Any]:
    # A call keeps the extra fields that its server added: some servers sign their calls in them.
    extras = {name: value for name, value in block.items() if name not in _OWN_TOOL_FIELDS and value is not None}
    raw = block.get("raw_input")
    arguments = raw if isinstance(raw, str) and raw else dump(block.get("input") or {}).decode()
    function = {"name": block.get("name", ""), "arguments": arguments}
    return {**extras, "id": block.get("id", ""), "type": "function", "function": function}


def _build_content(parts: list[Part]) -> str | list[Part]:
    # Some servers accept only a string, so a string is sent whenever possible.
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _build_parts(block: Block) -> list[Part]:
    match block:
        case {"type": "text", "text": str(text)}:
            return [{"type": "text", "text": text}]
        case {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}:
            return [{"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}]
        case {"type": "image", "source": {"type": "url", "url": url}}:
            return [{"type": "image_url", "image_url": {"url": url}}]
        case {"type": "document", "source": {"type": "base64", "media_type": media_type, "data": data}}:
            name = block.get("title") or "document.pdf"
            return [{"type": "file", "file": {"filename": name, "file_data": f"data:{media_type};base64,{data}"}}]
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            return [_build_headed_text([block.get("title")], text)]
        case {"type": "document", "source": {"type": "content", "content": content}}:
            return [_build_headed_text([block.get("title")], _join_texts(content))]
        case {"type": "search_result", "content": list(content)}:
            return [_build_headed_text([block.get("title"), block.get("source")], _join_texts(content))]
    raise Unsendable(block)


def _join_texts(content: str | Sequence[Block]) -> str:
    texts = []
    for block in as_blocks(content):
        if block.get("type") != "text":
            raise Unsendable(block)
        texts.append(block["text"])
    return "\n\n".join(texts)


def _build_headed_text(heads: Sequence[str | None], text: str) -> Part:
    return {"type": "text", "text": "\n\n".join([*filter(None, heads), text])}
