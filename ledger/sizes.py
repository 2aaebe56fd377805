"""About how many tokens things have before anybody has counted them: of requests, in whichever protocol, and parts."""

from collections.abc import Mapping
from typing import Any, Final

from upstreams.chat import ChatRequest

BYTES_A_TOKEN: Final = 4
TOKENS_A_MESSAGE: Final = 4
PIXELS_A_TOKEN: Final = 750
MOST_FOR_AN_IMAGE: Final = 1600
FOR_A_PAGE: Final = 1500
"""Text and picture of one page of a PDF file, about."""
BYTES_A_PAGE: Final = 50_000
"""Of a PDF file of which nobody has counted the pages, about."""
LETTERS_A_BYTE: Final = 4 / 3
"""Of base64."""


def size_of(text: str) -> int:
    """By bytes rather than letters: scripts with many letters have more tokens a letter."""
    # In ASCII, most of what is sent, a letter is a byte, and that is known without a copy.
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES_A_TOKEN)


def image_size(fields: Mapping[Any, Any]) -> int:
    """By its measures where they are known, never by its bytes."""
    pixels = (fields.get("width") or 1000) * (fields.get("height") or 1000)
    return min(MOST_FOR_AN_IMAGE, pixels // PIXELS_A_TOKEN + 1)


def prompt_tokens(body: ChatRequest | Mapping[str, Any]) -> int:
    """Of a request, as we hold it or as either protocol has it; never fails, whatever stands in it."""
    if isinstance(body, ChatRequest):
        parts = [message.blocks for message in body.messages]
        return size_of(body.system) + sum(map(message_size, parts)) + content_size(body.tools)
    messages = body.get("messages")
    said = [each for each in messages if isinstance(each, Mapping)] if isinstance(messages, list) else []
    return (
        content_size(body.get("system"))
        + sum(message_size(each.get("content")) + content_size(each.get("tool_calls")) for each in said)
        + content_size(body.get("tools"))
        + content_size(body.get("functions"))
        + content_size(body.get("response_format"))
    )


def message_size(content: object) -> int:
    return TOKENS_A_MESSAGE + content_size(content)


def content_size(content: object) -> int:
    """Of texts, blocks and whatever holds them."""
    total, waiting = 0, [content]
    # Not by recursion: how deep a body of somebody's program goes is for them to say.
    while waiting:
        match waiting.pop():
            case str(text):
                total += size_of(text)
            case {"type": "text", "text": str(text)}:
                total += size_of(text)
            case {"type": "image" | "image_url" | "input_image", **fields}:
                total += image_size(fields)
            case {"type": "document" | "file" | "input_audio", **fields}:
                total += file_size(fields)
            case {"type": "thinking" | "redacted_thinking"}:
                # That of earlier turns is not counted by those who are sent it.
                pass
            case Mapping() as fields:
                waiting += fields.keys()
                waiting += fields.values()
            case list() | tuple() as items:
                waiting += items
            case bool() | None:
                pass
            case int() | float():
                total += 1
    return total


def file_size(fields: Mapping[Any, Any]) -> int:
    """Of a document or a recording: as we refer to it, or in the shape of either protocol."""
    source = next((fields[name] for name in ("source", "file", "input_audio") if name in fields), fields)
    match source:
        case {"pages": int(pages)}:
            return pages * FOR_A_PAGE
        case {"size": int(size)}:
            return size // BYTES_A_TOKEN
        case {"type": "text", "data": str(text)}:
            return size_of(text)
        case {"type": "content", "content": content}:
            return content_size(content)
        case {"data": str(data)} | {"file_data": str(data)}:
            return FOR_A_PAGE * max(1, round(len(data) / LETTERS_A_BYTE / BYTES_A_PAGE))
    return FOR_A_PAGE
