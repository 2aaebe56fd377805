"""The Messages API as a server speaks it."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from gateway.dialects.blocks import tool_calls
from gateway.dialects.essentials import check_count as check_count_essentials
from gateway.dialects.essentials import check_messages as check_essentials
from gateway.dialects.messages_checks import check, check_count
from gateway.dialects.messages_stream import MessagesEncoder as Encoder
from gateway.dialects.messages_stream import error_event, stop_fields, usage_object
from gateway.ids import make_id, make_tool_id
from gateway.problems import Problem
from upstreams.events import ReplyEnded, ReplyEvent
from upstreams.reply import CUT_REASONS, TAGS, FoldedReply

__all__ = [
    "Encoder",
    "check",
    "check_count",
    "check_count_essentials",
    "check_essentials",
    "render_error",
    "render_reply",
]


INVALID_INPUT: Final = "INVALID_JSON"
"""The field in which the Messages API's documentation wraps such input."""


def render_error(problem: Problem, request_id: str) -> bytes:
    """The body of an error response."""
    return orjson.dumps(error_event(problem, request_id))


def render_reply(events: Iterable[ReplyEvent], model: str) -> dict[str, Any]:
    """The body of a reply in one piece."""
    reply = FoldedReply.of(events)
    blocks = [block for block in reply.blocks if not (reply.stop_reason in CUT_REASONS and "raw_input" in block)]
    end = reply.end or ReplyEnded(stop_reason=None)
    return {
        "id": make_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_build_block(block) for block in blocks],
        "stop_details": None,
        **stop_fields(end, has_calls=bool(tool_calls(blocks))),
        "usage": usage_object(reply.usage),
    }


def _build_block(block: dict[str, Any]) -> dict[str, Any]:
    if block.get("type") == "tool_use":
        return _build_call(block)
    return {name: value for name, value in block.items() if name != TAGS}


def _build_call(block: dict[str, Any]) -> dict[str, Any]:
    """A tool call that is complete. Input that is not a JSON object must not look like none."""
    call = {**block, "id": make_tool_id(block.get("id", ""))}
    raw = call.pop("raw_input", None)
    return call if raw is None else {**call, "input": {INVALID_INPUT: raw}}
