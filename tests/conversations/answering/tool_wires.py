"""Streamed replies in which a model calls tools, in both protocols."""

import json
from collections.abc import Sequence
from typing import Any

from tests.wires import chat_chunk, messages_event
from upstreams.endpoint import ProtocolName

type Call = tuple[str, str, dict[str, Any]]
"""Id, name and input."""


def calling(protocol: ProtocolName, *calls: Call, text: str = "", thinking: str = "") -> list[bytes]:
    """The events of a reply that ends with tool calls, one entry each."""
    if protocol is ProtocolName.ANTHROPIC:
        return _messages(calls, text, thinking)
    return _chat(calls, text)


def _messages(calls: Sequence[Call], text: str, thinking: str) -> list[bytes]:
    message = {"id": "msg_test", "type": "message", "role": "assistant", "model": "test-model", "content": []}
    usage = {"input_tokens": 10, "output_tokens": 1}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "usage": usage}}]
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if thinking:
        deltas = [{"type": "thinking_delta", "thinking": thinking}, {"type": "signature_delta", "signature": "sealed"}]
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if text:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": text}]))
    for use_id, name, arguments in calls:
        written = json.dumps(arguments)
        pieces = ["", written[: len(written) // 2], written[len(written) // 2 :]]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        blocks.append(({"type": "tool_use", "id": use_id, "name": name, "input": {}}, deltas))
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 20}})
    return [messages_event(event) for event in [*events, {"type": "message_stop"}]]


def _chat(calls: Sequence[Call], text: str) -> list[bytes]:
    chunks = [chat_chunk({"role": "assistant", "content": text or None})]
    for index, (use_id, name, arguments) in enumerate(calls):
        head = {"index": index, "id": use_id, "type": "function", "function": {"name": name, "arguments": ""}}
        chunks.append(chat_chunk({"tool_calls": [head]}))
        written = json.dumps(arguments)
        for piece in (written[: len(written) // 2], written[len(written) // 2 :]):
            chunks.append(chat_chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    chunks.append(chat_chunk({}, "tool_calls"))
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    return [*chunks, chat_chunk(usage=usage), b"data: [DONE]\n\n"]
