"""The Chat Completions API as a server speaks it."""

import time
from collections.abc import Iterable
from typing import Any

import orjson

from gateway.dialects.blocks import image_entry, input_text, join_text, tool_calls
from gateway.dialects.chat_checks import check
from gateway.dialects.chat_stream import ChatEncoder as Encoder
from gateway.dialects.chat_stream import error_object, finish_reason, usage_object
from gateway.dialects.essentials import check_chat as check_essentials
from gateway.ids import make_id
from gateway.problems import Problem
from upstreams.events import ReplyEvent
from upstreams.reply import FoldedReply

__all__ = ["Encoder", "check", "check_essentials", "render_error", "render_reply"]


def render_error(problem: Problem, request_id: str) -> bytes:
    """The body of an error response. The request's id is in a header only."""
    return orjson.dumps(error_object(problem))


def render_reply(events: Iterable[ReplyEvent], model: str) -> dict[str, Any]:
    """The body of a reply in one piece."""
    reply = FoldedReply.of(events)
    message = _message(reply)
    reason = finish_reason(reply.stop_reason, has_calls="tool_calls" in message)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {
        "id": make_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage_object(reply.usage),
        "system_fingerprint": None,
        "service_tier": None,
    }


def _message(reply: FoldedReply) -> dict[str, Any]:
    blocks = reply.blocks
    message: dict[str, Any] = {
        "role": "assistant",
        "content": join_text(blocks, "text") or None,
        "refusal": reply.explanation or None,
    }
    if thinking := join_text(blocks, "thinking"):
        message["reasoning_content"] = thinking
    if images := [block for block in blocks if block.get("type") == "image"]:
        message["images"] = [image_entry(image, index) for index, image in enumerate(images)]
    if calls := tool_calls(blocks):
        message["tool_calls"] = [_tool_call(block) for block in calls]
    return message


def _tool_call(block: dict[str, Any]) -> dict[str, Any]:
    function = {"name": block.get("name", ""), "arguments": input_text(block)}
    return {"id": block.get("id", ""), "type": "function", "function": function}
