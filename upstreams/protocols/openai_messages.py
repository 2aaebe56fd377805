"""A conversation in the roles and parts of the Chat Completions API."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from upstreams.chat import Block, ChatRequest
from upstreams.endpoint import Endpoint
from upstreams.errors import InvalidRequest
from upstreams.protocols.history import has_text, turns

type Part = dict[str, Any]

_SENT_BLOCKS: Final = ("image", "document", "tool_use", "tool_result")
_OWN_TOOL_FIELDS: Final = ("type", "id", "name", "input", "raw_input", "caller", "cache_control")


def chat_messages(request: ChatRequest, endpoint: Endpoint) -> list[dict[str, Any]]:
    """Thinking and server tools are left out silently; an attachment that cannot be sent raises InvalidRequest."""
    sent: list[dict[str, Any]] = []
    if request.system.strip():
        sent.append({"role": "system", "content": request.system})
    for role, blocks in turns(request.messages, _kept):
        sent += _assistant(blocks) if role == "assistant" else _user(blocks, endpoint)
    return sent


def _kept(block: Block) -> Block | None:
    if block.get("type") == "text":
        return block if has_text(block) else None
    return block if block.get("type") in _SENT_BLOCKS else None


def _assistant(blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    text = "".join(block["text"] for block in blocks if block.get("type") == "text")
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls := [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]:
        message["tool_calls"] = calls
    if text or calls:
        yield message


def _tool_call(block: Block) -> dict[str, Any]:
    # A call goes back with whatever its maker hung on it; some servers sign their calls there.
    extras = {name: value for name, value in block.items() if name not in _OWN_TOOL_FIELDS}
    arguments = block.get("raw_input") or orjson.dumps(block.get("input") or {}).decode()
    function = {"name": block.get("name", ""), "arguments": arguments}
    return {**extras, "id": block.get("id", ""), "type": "function", "function": function}


def _user(blocks: Sequence[Block], endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    """Tool results become messages of their own, which must stand before what the person says."""
    parts: list[Part] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            inner = _inner_blocks(block)
            text = "\n\n".join(b["text"] for b in inner if b.get("type") == "text")
            content = f"Error: {text}" if block.get("is_error") else text
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id", ""), "content": content}
            parts += [part for b in inner if b.get("type") in ("image", "document") for part in _parts(b, endpoint)]
        else:
            parts += _parts(block, endpoint)
    if parts:
        yield {"role": "user", "content": _content(parts)}


def _inner_blocks(block: Block) -> Sequence[Block]:
    content = block.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _content(parts: list[Part]) -> str | list[Part]:
    # Some servers take nothing but a string, so one is sent whenever it can be.
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _parts(block: Block, endpoint: Endpoint) -> list[Part]:
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
            return [_titled(block, text)]
        case {"type": "document", "source": {"type": "content", "content": content}}:
            inner = [{"type": "text", "text": content}] if isinstance(content, str) else content
            return [_titled(block, "\n\n".join(b["text"] for b in inner if b.get("type") == "text"))]
    kind = "an image" if block.get("type") == "image" else "a document"
    raise InvalidRequest(
        f"{endpoint.name} cannot be sent {kind} that is kept elsewhere. Attach the file itself, or take another model."
    )


def _titled(document: Block, text: str) -> Part:
    title = document.get("title")
    return {"type": "text", "text": f"{title}\n\n{text}" if title else text}
