"""What a tool answers, as content blocks of the Messages API (pure)."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tools.limits import LIMITS

type Block = dict[str, Any]

NOTHING: Final = "The tool ended without saying anything."


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`content` is what stands in a tool_result block: text and image blocks, at least one."""

    content: list[Block]
    is_error: bool = False
    failure: str = ""
    """The `kind` of what kept the tool from running at all; "" when it ran, even to an error of its own."""

    @classmethod
    def text(cls, text: str, *, is_error: bool = False, failure: str = "") -> "ToolResult":
        return cls(list(within_limits([text_block(text or NOTHING)])), is_error, failure)

    @property
    def as_text(self) -> str:
        return "\n\n".join(block["text"] for block in self.content if block["type"] == "text")


def from_mcp(content: Sequence[Mapping[str, Any]], structured: Any, is_error: bool) -> ToolResult:
    """A server's answer, its content as the protocol spells it on the wire.

    Structured content repeats what the content says, so it counts only where there is no other.
    """
    blocks = [_block(item) for item in content]
    if not blocks and structured is not None:
        blocks = [text_block(orjson.dumps(structured, option=orjson.OPT_INDENT_2).decode())]
    return ToolResult(list(within_limits(blocks)) or [text_block(NOTHING)], is_error)


def text_block(text: str) -> Block:
    # Postgres keeps no NUL in JSON, and neither database a half of a surrogate pair.
    return {"type": "text", "text": text.replace("\0", "\ufffd").encode(errors="replace").decode()}


def within_limits(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks with text beyond the limit cut, and the model told so."""
    room, images = LIMITS.text_size, 0
    is_cut = False
    for block in blocks:
        if block["type"] == "image":
            images += 1
            if images == LIMITS.images + 1:
                yield text_block(f"[More images were left out: only {LIMITS.images} are taken from one result.]")
            if images > LIMITS.images:
                continue
        elif is_cut:
            continue
        elif len(encoded := block["text"].encode()) > room:
            is_cut = True
            yield text_block(f"{encoded[:room].decode(errors='ignore')}\n\n{_cut_remark(blocks)}")
            continue
        else:
            room -= len(encoded)
        yield block


def _cut_remark(blocks: Sequence[Block]) -> str:
    size = sum(len(block["text"].encode()) for block in blocks if block["type"] == "text")
    return (
        f"[The result was cut here: of its {size:,} bytes of text only the first {LIMITS.text_size:,} are shown. "
        "Ask for less at once, or for a later part.]"
    )


def _block(item: Mapping[str, Any]) -> Block:
    match item:
        case {"type": "text", "text": str(text)}:
            return text_block(text)
        case {"type": "image", "data": str(data)}:
            return _image(data)
        case {"type": "resource", "resource": dict() as resource}:
            return _resource(resource)
        case {"type": "resource_link"}:
            return _described("A link", item)
    return _described(f"Content of the kind “{str(item.get('type', ''))[:40]}”", item)


def _resource(resource: Mapping[str, Any]) -> Block:
    match resource:
        case {"text": str(text)}:
            return text_block(f"[{resource.get('uri', 'A resource')}]\n{text}")
        case {"blob": str(data), "mimeType": str(kind)} if kind.startswith("image/"):
            return _image(data)
    return _described("A file", resource)


def _image(data: str) -> Block:
    """Checked: what is no image, or too large a one, would have the whole request refused."""
    if len(data) > LIMITS.image_size * 4 // 3 + 4:
        return text_block(f"[An image was left out: it is larger than {LIMITS.image_size:,} bytes.]")
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return text_block("[An image was left out: it could not be read.]")
    media_type = sniffed(decoded)
    if not media_type:
        return text_block("[An image was left out: it is neither PNG, JPEG, GIF nor WebP.]")
    plain = base64.b64encode(decoded).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": plain}}


def sniffed(data: bytes) -> str:
    """The media type by what the bytes say, not by what somebody says of them; "" for what models do not see."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""


def _described(what: str, facts: Mapping[str, Any]) -> Block:
    told = [str(facts[key])[:300] for key in ("title", "name", "mimeType", "uri", "description") if facts.get(key)]
    return text_block(f"[{what} that cannot be shown here{': ' if told else ''}{', '.join(told)}]")
