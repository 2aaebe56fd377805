"""Answers with images, in both protocols."""

from collections.abc import Iterable, Sequence

from tests import files
from tests.fakes import ModelServer
from tests.steps import Step
from tests.wires import chat_chunk, messages_event
from upstreams.endpoint import ProtocolName

type Piece = str | bytes
"""A text, or the content of an image."""


def draw(server: ModelServer, *pieces: Piece) -> None:
    """Has the server's next answer consist of these texts and images."""
    server.stream(*drawing(server.protocol, pieces))


def drawing(protocol: ProtocolName, pieces: Sequence[Piece], *, has_end: bool = True) -> list[Step]:
    """The events of a streamed answer. Without its end, the last piece is still complete."""
    if protocol is ProtocolName.OPENAI:
        deltas = [{"content": piece} if isinstance(piece, str) else {"images": [entry(piece)]} for piece in pieces]
        return [*map(chat_chunk, deltas), *([chat_chunk({}, "stop"), b"data: [DONE]\n\n"] if has_end else [])]
    return [*blocks(pieces), *(ends() if has_end else [])]


def entry(content: bytes) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{files.to_base64(content)}"}}


def blocks(pieces: Sequence[Piece]) -> Iterable[bytes]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    yield messages_event({"type": "message_start", "message": message})
    for index, piece in enumerate(pieces):
        source = {"type": "base64", "media_type": "image/png", "data": files.to_base64(as_bytes(piece))}
        block = {"type": "text", "text": piece} if isinstance(piece, str) else {"type": "image", "source": source}
        yield messages_event({"type": "content_block_start", "index": index, "content_block": block})
        yield messages_event({"type": "content_block_stop", "index": index})


def as_bytes(piece: Piece) -> bytes:
    return piece if isinstance(piece, bytes) else b""


def ends() -> Iterable[bytes]:
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield messages_event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}})
    yield messages_event({"type": "message_stop"})
