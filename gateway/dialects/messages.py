"""The Messages API as a server speaks it."""

from collections.abc import Iterable
from typing import Any

import orjson

from gateway.dialects.messages_checks import check, check_count
from gateway.dialects.messages_stream import Encoder, ending, error_event, usage_told
from gateway.dialects.reply import Reply
from gateway.ids import new_id, tool_id
from gateway.problems import Problem
from upstreams.events import ReplyEvent

__all__ = ["Encoder", "check", "check_count", "error", "whole"]


def error(problem: Problem, request_id: str) -> bytes:
    """The body of an answer that is none."""
    return orjson.dumps(error_event(problem, request_id))


def whole(events: Iterable[ReplyEvent], model: str) -> dict[str, Any]:
    """The body of a reply that is told in one piece."""
    reply = Reply.of(events)
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_with_own_id(block) for block in reply.blocks],
        "stop_details": None,
        **ending(reply.end, has_calls=bool(reply.calls)),
        "usage": usage_told(reply.usage),
    }


def _with_own_id(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "id": tool_id(block.get("id", ""))} if block.get("type") == "tool_use" else block
