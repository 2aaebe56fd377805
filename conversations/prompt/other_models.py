"""What a model can read of another model's answer: text, files, and the calls of tools with their results.

Thinking, its signatures, and what servers add to text and calls mean something only to the model that wrote them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from conversations.models.attachment import reference_in
from conversations.models.message import is_text, text_block
from upstreams.chat import Block
from upstreams.protocols.tool_calls import make_accepted_id
from upstreams.reply import build_thinking

_CALL_FIELDS: Final = ("type", "id", "name", "input", "raw_input")


def strip_for_others(block: Block) -> Block | None:
    """Returns the block as other models can read it; None if they cannot."""
    if is_text(block):
        return text_block(block["text"])
    match block:
        case {"type": "tool_use", "id": str(call_id)}:
            return {name: block[name] for name in _CALL_FIELDS if name in block} | {"id": make_accepted_id(call_id)}
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            return {**block, "tool_use_id": make_accepted_id(call_id)}
    return block if reference_in(block) else None


def hand_to_another_model(blocks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the blocks of an answer for another model to continue. Its thinking is shown, but never sent again."""
    handed = (_keep_shown(block) or strip_for_others(block) for block in blocks)
    return [dict(block) for block in handed if block]


def _keep_shown(block: Mapping[str, Any]) -> Block | None:
    is_thinking = block.get("type") == "thinking" and isinstance(block.get("thinking"), str)
    return build_thinking(block["thinking"]) if is_thinking else None
