"""A tool's result as content blocks of the Messages API (pure)."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tools.limits import LIMITS

type ResultBlock = dict[str, Any]

EMPTY: Final = "The tool returned nothing."


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`content` is the content of a tool_result block: at least one text or image block."""

    content: list[ResultBlock]
    is_error: bool = False
    failure: str = ""
    """The `kind` of failure that kept the tool from running; "" if it ran, even if it reported an error."""

    @classmethod
    def from_text(cls, text: str, *, is_error: bool = False, failure: str = "") -> "ToolResult":
        return cls(list(limit_blocks([text_block(text or EMPTY)])), is_error, failure)


def result_from_mcp(content: Sequence[Mapping[str, Any]], structured: Any, is_error: bool) -> ToolResult:
    """Translates a server's result, whose content is in the protocol's JSON form.

    Structured content repeats the other content, so it is used only if there is no other.
    """
    blocks = [_block(item) for item in content]
    if not blocks and structured is not None:
        blocks = [text_block(orjson.dumps(structured, option=orjson.OPT_INDENT_2).decode())]
    return ToolResult(list(limit_blocks(blocks)) or [text_block(EMPTY)], is_error)


def text_block(text: str) -> ResultBlock:
    return {"type": "text", "text": make_storable(text)}


def make_storable(text: str) -> str:
    """The text without NUL, which PostgreSQL rejects in JSON, and without lone surrogates, which no database stores."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def limit_blocks(blocks: Sequence[ResultBlock]) -> Iterator[ResultBlock]:
    """The blocks up to the limits of text and images, with a note to the model where something is missing."""
    bytes_left, images = LIMITS.text_size, 0
    is_cut = False
    for block in blocks:
        if block["type"] == "image":
            images += 1
            if images == LIMITS.images + 1:
                yield text_block(f"[More images were left out: a result can have at most {LIMITS.images}.]")
            if images > LIMITS.images:
                continue
        elif is_cut:
            continue
        elif len(encoded := block["text"].encode()) > bytes_left:
            is_cut = True
            yield text_block(f"{encoded[:bytes_left].decode(errors='ignore')}\n\n{_cut_note(blocks)}")
            continue
        else:
            bytes_left -= len(encoded)
        yield block


def _cut_note(blocks: Sequence[ResultBlock]) -> str:
    size = sum(len(block["text"].encode()) for block in blocks if block["type"] == "text")
    return (
        f"[The result was cut here: it has {size:,} bytes of text, and only the first {LIMITS.text_size:,} are shown. "
        "Ask for less at once, or for a later part.]"
    )


def _block(item: Mapping[str, Any]) -> ResultBlock:
    match item:
        case {"type": "text", "text": str(text)}:
            return text_block(text)
        case {"type": "image", "data": str(data)}:
            return _image(data)
        case {"type": "resource", "resource": dict() as resource}:
            return _resource(resource)
        case {"type": "resource_link"}:
            return _placeholder("A link", item)
    return _placeholder(f"Content of type “{str(item.get('type', ''))[:40]}”", item)


def _resource(resource: Mapping[str, Any]) -> ResultBlock:
    match resource:
        case {"text": str(text)}:
            return text_block(f"[{resource.get('uri', 'A resource')}]\n{text}")
        case {"blob": str(data), "mimeType": str(media_type)} if media_type.startswith("image/"):
            return _image(data)
    return _placeholder("A file", resource)


def _image(data: str) -> ResultBlock:
    """An image block, or a note in its place: one invalid or oversized image makes a provider reject the request."""
    if len(data) > LIMITS.image_size * 4 // 3 + 4:
        return text_block(f"[An image was left out: it is larger than {LIMITS.image_size:,} bytes.]")
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return text_block("[An image was left out: it could not be read.]")
    media_type = detect_image_type(decoded)
    if not media_type:
        return text_block("[An image was left out: it is not a PNG, JPEG, GIF or WebP file.]")
    plain = base64.b64encode(decoded).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": plain}}


def detect_image_type(data: bytes) -> str:
    """The media type according to the bytes themselves; "" unless models can see such images."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""


def _placeholder(what: str, facts: Mapping[str, Any]) -> ResultBlock:
    known = [str(facts[key])[:300] for key in ("title", "name", "mimeType", "uri", "description") if facts.get(key)]
    return text_block(f"[{what} that cannot be shown here{': ' if known else ''}{', '.join(known)}]")
