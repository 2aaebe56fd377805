"""The Chat Completions API as a server speaks it."""

import time
from collections.abc import Iterable
from typing import Any

import orjson

from gateway.dialects.chat_checks import check
from gateway.dialects.chat_stream import Encoder, error_told, finish_reason, usage_told
from gateway.dialects.reply import Reply, input_text
from gateway.ids import new_id
from gateway.problems import Problem
from upstreams.events import ReplyEvent

__all__ = ["Encoder", "check", "error", "whole"]


def error(problem: Problem, request_id: str) -> bytes:
    """The body of an answer that is none; the request's id stands in a header alone."""
    return orjson.dumps(error_told(problem))


def whole(events: Iterable[ReplyEvent], model: str) -> dict[str, Any]:
    """The body of a reply that is told in one piece."""
    reply = Reply.of(events)
    reason = finish_reason(reply.end.stop_reason, has_calls=bool(reply.calls))
    choice = {"index": 0, "message": _message(reply), "logprobs": None, "finish_reason": reason}
    return {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage_told(reply.usage),
        "system_fingerprint": None,
        "service_tier": None,
    }


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.joined("text") or None,
        "refusal": reply.end.explanation or None,
    }
    if thinking := reply.joined("thinking"):
        message["reasoning_content"] = thinking
    if reply.calls:
        message["tool_calls"] = [_tool_call(block) for block in reply.calls]
    return message


def _tool_call(block: dict[str, Any]) -> dict[str, Any]:
    function = {"name": block.get("name", ""), "arguments": input_text(block)}
    return {"id": block.get("id", ""), "type": "function", "function": function}
