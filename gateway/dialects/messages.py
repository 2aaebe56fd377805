"""The Messages API as a server speaks it."""

from collections.abc import Iterable
from typing import Any

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
from upstreams.reply import FoldedReply

__all__ = [
    "Encoder",
    "check",
    "check_count",
    "check_count_essentials",
    "check_essentials",
    "render_error",
    "render_reply",
]


def render_error(problem: Problem, request_id: str) -> bytes:
    """The body of an error response."""
    return orjson.dumps(error_event(problem, request_id))


def render_reply(events: Iterable[ReplyEvent], model: str) -> dict[str, Any]:
    """The body of a reply in one piece."""
    reply = FoldedReply.of(events)
    blocks = reply.blocks
    end = reply.end or ReplyEnded(stop_reason=None)
    return {
        "id": make_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_with_own_id(block) for block in blocks],
        "stop_details": None,
        **stop_fields(end, has_calls=bool(tool_calls(blocks))),
        "usage": usage_object(reply.usage),
    }


def _with_own_id(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "id": make_tool_id(block.get("id", ""))} if block.get("type") == "tool_use" else block
