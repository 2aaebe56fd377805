"""Content blocks, in the shapes of the Messages API, as both protocols write them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from upstreams.protocols.openai.images import build_address
from upstreams.wire.tolerant_json import dump

CUT_INPUT: Final = "{"
"""What is written for an input that was cut before it began. Clients take no text at all for an empty object."""


def tool_calls(blocks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of tools that the client must run."""
    return [block for block in blocks if block.get("type") == "tool_use"]


def join_text(blocks: Iterable[Mapping[str, Any]], kind: Literal["text", "thinking"]) -> str:
    return "".join(block.get(kind, "") for block in blocks if block.get("type") == kind)


def image_entry(block: Mapping[str, Any], index: int) -> dict[str, Any]:
    """An image of an answer, as OpenRouter writes it: the Chat Completions API itself has none."""
    return {"type": "image_url", "index": index, "image_url": {"url": build_address(block.get("source"))}}


def input_text(block: Mapping[str, Any]) -> str:
    """The input of a closed tool call as JSON text, or as it arrived if it was not JSON."""
    raw = block.get("raw_input")
    if isinstance(raw, str):
        return raw if raw.strip() else CUT_INPUT
    return dump(block.get("input") or {}).decode()
