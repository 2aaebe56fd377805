"""Chat Completions streams built chunk by chunk, and their decoding."""

import json
import re
from typing import Any

from tests.upstreams.protocols.reading import Read, bytewise, endpoint, read_stream
from upstreams.endpoint import ProtocolName

type Piece = dict[str, Any] | str


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk with one choice, or without any if there is no delta."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": choices, **more}


def says(text: str, **more: Any) -> dict[str, Any]:
    return chunk({"content": text}, **more)


def calls(*pieces: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": list(pieces)})


def call(arguments: Any = "", **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    return {**fields, "function": {"arguments": arguments, **({"name": name} if name else {})}}


ROLE = chunk({"role": "assistant", "content": ""})
HELLO = [ROLE, says("Hel"), says("lo")]
STOP = chunk({}, "stop")
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
_MADE = re.compile("call_[0-9a-f]{32}")
DONE = "data: [DONE]\n\n"


def wire(*pieces: Piece) -> bytes:
    return "".join(piece if isinstance(piece, str) else f"data: {json.dumps(piece)}\n\n" for piece in pieces).encode()


def replay(*pieces: Piece, **settings: Any) -> Read:
    """The reply, read at once and byte by byte, which must be equal."""
    to, sent = endpoint(ProtocolName.OPENAI, **settings), wire(*pieces)
    whole, cut = read_stream(to, [sent]), read_stream(to, bytewise(sent))
    for block in (*whole.blocks, *cut.blocks):
        # Ids that the server did not give are random.
        if _MADE.fullmatch(block.get("id", "")):
            block["id"] = "made"
    assert (whole.blocks, whole.ended, whole.usage, whole.kind) == (cut.blocks, cut.ended, cut.usage, cut.kind)
    return whole


def tools(*pieces: Piece) -> list[tuple[str, str, Any]]:
    read = replay(ROLE, *pieces, chunk({}, "tool_calls"), DONE)
    assert read.reason == "tool_use"
    return [(block["id"], block["name"], block["input"]) for block in read.blocks]
