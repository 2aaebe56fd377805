"""A conversation in the roles and parts of the Chat Completions API."""

from typing import Any, Final

from upstreams.chat import Block, ChatRequest
from upstreams.endpoint import Endpoint
from upstreams.errors import InvalidRequest
from upstreams.protocols.history import has_text, turns
from upstreams.protocols.openai_contents import Unsendable, assistant_messages, user_messages

_SENT_BLOCKS: Final = ("image", "document", "tool_use", "tool_result")


def chat_messages(request: ChatRequest, endpoint: Endpoint) -> list[dict[str, Any]]:
    """Thinking and server tools are left out silently; an attachment that cannot be sent raises InvalidRequest."""
    sent: list[dict[str, Any]] = []
    if request.system.strip():
        sent.append({"role": "system", "content": request.system})
    try:
        for role, blocks in turns(request.messages, _kept):
            sent += assistant_messages(blocks) if role == "assistant" else user_messages(blocks)
    except Unsendable as unsendable:
        kind = "an image" if unsendable.block.get("type") == "image" else "a document"
        raise InvalidRequest(
            f"{endpoint.name} cannot be sent {kind} that is kept elsewhere. "
            "Attach the file itself, or take another model."
        ) from None
    return sent


def _kept(block: Block) -> Block | None:
    if block.get("type") == "text":
        return block if has_text(block) else None
    return block if block.get("type") in _SENT_BLOCKS else None
