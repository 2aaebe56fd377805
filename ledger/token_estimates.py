"""Estimates of how many tokens requests and their parts have, in either protocol, before a server counts them."""

from collections.abc import Mapping
from typing import Any, Final

from upstreams.chat import ChatRequest
from upstreams.events import MAX_TOKENS

BYTES_PER_TOKEN: Final = 4
TOKENS_PER_MESSAGE: Final = 4
PIXELS_PER_TOKEN: Final = 750
MAX_IMAGE_TOKENS: Final = 1600
TOKENS_PER_PAGE: Final = 1500
"""The text and the picture of one page of a PDF file."""
BYTES_PER_PAGE: Final = 50_000
"""In a PDF file with an unknown number of pages."""
BASE64_LENGTH: Final = 4 / 3
"""Characters per byte."""


def estimate_text(text: str) -> int:
    """Counts bytes and not characters: scripts with many characters have more tokens per character."""
    # Most text is ASCII, whose length in bytes is known without a copy.
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES_PER_TOKEN)


def estimate_image(fields: Mapping[Any, Any]) -> int:
    """Uses width and height. The bytes do not matter."""
    pixels = _read_length(fields.get("width")) * _read_length(fields.get("height"))
    return min(MAX_IMAGE_TOKENS, pixels // PIXELS_PER_TOKEN + 1)


def _read_length(reported: object) -> int:
    """Returns the pixels of one side; a middling number if the client reports none or an impossible one."""
    return reported if isinstance(reported, int) and reported > 0 else 1000


def estimate_prompt(body: ChatRequest | Mapping[str, Any]) -> int:
    """Takes our own request or the body of either protocol. Never fails, and returns at most MAX_TOKENS."""
    return min(MAX_TOKENS, _estimate_parts(body))


def _estimate_parts(body: ChatRequest | Mapping[str, Any]) -> int:
    if isinstance(body, ChatRequest):
        parts = [message.blocks for message in body.messages]
        return estimate_text(body.system) + sum(map(estimate_message, parts)) + estimate_content(body.tools)
    messages = body.get("messages")
    readable = [each for each in messages if isinstance(each, Mapping)] if isinstance(messages, list) else []
    return (
        estimate_content(body.get("system"))
        + sum(estimate_message(each.get("content")) + estimate_content(each.get("tool_calls")) for each in readable)
        + estimate_content(body.get("tools"))
        + estimate_content(body.get("functions"))
        + estimate_content(body.get("response_format"))
    )


def estimate_message(content: object) -> int:
    return TOKENS_PER_MESSAGE + estimate_content(content)


def estimate_content(content: object) -> int:
    """Takes text, blocks, and anything that contains them."""
    total, waiting = 0, [content]
    # A loop and not recursion: a client decides how deep its body is nested.
    while waiting:
        match waiting.pop():
            case str(text):
                total += estimate_text(text)
            case {"type": "text", "text": str(text)}:
                total += estimate_text(text)
            case {"type": "image" | "image_url" | "input_image", **fields}:
                total += estimate_image(fields)
            case {"type": "document" | "file" | "input_audio", **fields}:
                total += estimate_file(fields)
            case {"type": "thinking" | "redacted_thinking"}:
                # Upstreams do not count the thinking of earlier turns.
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


def estimate_file(fields: Mapping[Any, Any]) -> int:
    """Takes a document or a recording: our own reference to a file, or the block of either protocol."""
    source = next((fields[name] for name in ("source", "file", "input_audio") if name in fields), fields)
    match source:
        case {"pages": int(pages)} if pages >= 0:
            return pages * TOKENS_PER_PAGE
        case {"size": int(size)} if size >= 0:
            return size // BYTES_PER_TOKEN
        case {"type": "text", "data": str(text)}:
            return estimate_text(text)
        case {"type": "content", "content": content}:
            return estimate_content(content)
        case {"data": str(data)} | {"file_data": str(data)}:
            return TOKENS_PER_PAGE * max(1, round(len(data) / BASE64_LENGTH / BYTES_PER_PAGE))
    return TOKENS_PER_PAGE
