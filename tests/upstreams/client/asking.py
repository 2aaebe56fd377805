"""Asking a model server on loopback, with short waits."""

from contextlib import aclosing
from dataclasses import replace
from typing import Any

from tests.fakes import ModelServer
from tests.upstreams.protocols.reading import Read
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.client import stream_reply
from upstreams.client.transport import LIMITS
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError

QUICK = replace(LIMITS, backoff=0.001, longest_wait=0.01)
ASKED = ChatRequest("test-model", [ChatMessage("user", [{"type": "text", "text": "hello?"}])])
WHOLE = {
    ProtocolName.ANTHROPIC: {"content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"},
    ProtocolName.OPENAI: {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]},
}


async def ask(to: Endpoint | ModelServer, request: ChatRequest = ASKED, **limits: Any) -> Read:
    endpoint = to.build_endpoint() if isinstance(to, ModelServer) else to
    read = Read()
    try:
        async with aclosing(stream_reply(endpoint, request, limits=replace(QUICK, **limits))) as batches:
            async for events in batches:
                for event in events:
                    read.take(event)
    except UpstreamError as failure:
        read.failure = failure
    return read
