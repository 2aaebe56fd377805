"""Translates a conversation into the roles and parts of the Chat Completions API."""

from typing import Any, Final

from upstreams.chat import Block, ChatRequest
from upstreams.endpoint import Endpoint
from upstreams.errors import InvalidRequest
from upstreams.protocols.history import alternate_turns, has_text, restore_tagged_thinking
from upstreams.protocols.openai.contents import Unsendable, to_assistant_messages, to_user_messages

_SENT_BLOCKS: Final = ("image", "document", "tool_use", "tool_result")


def to_chat_messages(request: ChatRequest, endpoint: Endpoint) -> list[dict[str, Any]]:
    """Leaves out server tools, and thinking without tool calls, silently.

    Raises InvalidRequest for an attachment that cannot be sent.
    """
    sent: list[dict[str, Any]] = []
    if request.system.strip():
        sent.append({"role": "system", "content": request.system})
    try:
        for role, blocks in alternate_turns(restore_tagged_thinking(request.messages), _keep):
            sent += to_assistant_messages(blocks) if role == "assistant" else to_user_messages(blocks)
    except Unsendable as unsendable:
        kind = "an image" if unsendable.block.get("type") == "image" else "a document"
        raise InvalidRequest(
            f"{endpoint.name} cannot receive {kind} that is stored elsewhere. "
            "Attach the file itself, or choose another model."
        ) from None
    return sent


def _keep(block: Block) -> Block | None:
    if block.get("type") == "text":
        return block if has_text(block) else None
    if block.get("reasoning_field"):
        return block
    return block if block.get("type") in _SENT_BLOCKS else None
