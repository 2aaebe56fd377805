"""One question and one answer, through either SDK."""

import json
import socket
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

import orjson
from anthropic import Anthropic
from openai import OpenAI

from tests.conversations.answering.tool_wires import calling
from tests.fakes import ModelServer
from tests.gateway.serving.programs import Programs
from upstreams.endpoint import ProtocolName

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CALL = ("call_1", "weather", {"city": "Paris"})
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@dataclass
class Heard:
    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    reason: str | None = None
    read: int = 0
    written: int = 0
    model: str = ""
    request_id: str | None = None


class MessagesProgram:
    """Asks POST /v1/messages."""

    protocol = ProtocolName.ANTHROPIC
    reasons = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens"}

    def __init__(self, programs: Programs, **options: Any) -> None:
        self.client: Anthropic = programs.anthropic(**options)

    def ask(self, model: str, *, is_streamed: bool = False, says: str = "text", **more: Any) -> Heard:
        body = {"model": model, "max_tokens": 2000, "messages": [self.question(says)], **self.extras(says), **more}
        if not is_streamed:
            answer = self.client.messages.with_raw_response.create(**body)
            return self.heard(answer.parse(), answer.headers.get("request-id"))
        with self.client.messages.stream(**body) as stream:
            return self.heard(stream.get_final_message(), stream.response.headers.get("request-id"))

    @staticmethod
    def question(says: str) -> dict[str, Any]:
        text = {"type": "text", "text": "How is it?"}
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        return {"role": "user", "content": [image, text] if says == "image" else "How is it?"}

    @staticmethod
    def extras(says: str) -> dict[str, Any]:
        if says == "thinking":
            return {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        tool = {"name": "weather", "description": "Looks out.", "input_schema": SCHEMA}
        return {"tools": [tool], "tool_choice": {"type": "any"}} if says == "tools" else {}

    @staticmethod
    def heard(message: Any, request_id: str | None) -> Heard:
        blocks = message.content
        return Heard(
            text="".join(block.text for block in blocks if block.type == "text"),
            thinking="".join(block.thinking for block in blocks if block.type == "thinking"),
            calls=[(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"],
            reason=message.stop_reason,
            read=message.usage.input_tokens,
            written=message.usage.output_tokens,
            model=message.model,
            request_id=request_id,
        )


class ChatProgram:
    """Asks POST /v1/chat/completions."""

    protocol = ProtocolName.OPENAI
    reasons = {"end": "stop", "tools": "tool_calls", "length": "length"}

    def __init__(self, programs: Programs, **options: Any) -> None:
        self.client: OpenAI = programs.openai(**options)

    def ask(self, model: str, *, is_streamed: bool = False, says: str = "text", **more: Any) -> Heard:
        body = {"model": model, "max_tokens": 2000, "messages": [self.question(says)], **self.extras(says), **more}
        completions = self.client.chat.completions
        if not is_streamed:
            answer = completions.with_raw_response.create(**body)
            return self.heard(answer.parse(), answer.headers.get("x-request-id"))
        body["stream_options"] = {"include_usage": True}
        thinking = ""
        with completions.stream(**body) as stream:
            for event in stream:
                if event.type == "chunk" and event.chunk.choices:
                    thinking += getattr(event.chunk.choices[0].delta, "reasoning_content", None) or ""
            heard = self.heard(stream.get_final_completion(), stream._response.headers.get("x-request-id"))
        heard.thinking = thinking
        return heard

    @staticmethod
    def question(says: str) -> dict[str, Any]:
        text = {"type": "text", "text": "How is it?"}
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        return {"role": "user", "content": [image, text] if says == "image" else "How is it?"}

    @staticmethod
    def extras(says: str) -> dict[str, Any]:
        if says == "thinking":
            return {"reasoning_effort": "low"}
        function = {"name": "weather", "description": "Looks out.", "parameters": SCHEMA}
        tools = [{"type": "function", "function": function}]
        return {"tools": tools, "tool_choice": "required"} if says == "tools" else {}

    @staticmethod
    def heard(completion: Any, request_id: str | None) -> Heard:
        [choice] = completion.choices
        calls = choice.message.tool_calls or []
        return Heard(
            text=choice.message.content or "",
            thinking=getattr(choice.message, "reasoning_content", None) or "",
            calls=[(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls],
            reason=choice.finish_reason,
            read=completion.usage.prompt_tokens,
            written=completion.usage.completion_tokens,
            model=completion.model,
            request_id=request_id,
        )


PROGRAMS = (MessagesProgram, ChatProgram)


def tell(server: ModelServer, says: str = "text", *, is_streamed: bool = False, **usage: int) -> None:
    """Prepares the upstream's answer in its protocol: "Hello", unless it thinks or calls a tool."""
    thinking = ["h", "m"] if says == "thinking" else []
    if not is_streamed:
        server.body(whole(server.protocol, says))
    elif says == "tools":
        server.stream(*calling(server.protocol, CALL))
    else:
        server.say("Hel", "lo", thinking=thinking, input_tokens=10, output_tokens=20)


def whole(protocol: ProtocolName, says: str = "text", **more: Any) -> dict[str, Any]:
    """Prepares the same answer in one piece."""
    id, name, arguments = CALL
    if protocol is ProtocolName.ANTHROPIC:
        content: list[dict[str, Any]] = [{"type": "text", "text": "Hello"}]
        if says == "thinking":
            content.insert(0, {"type": "thinking", "thinking": "hm", "signature": "signed"})
        if says == "tools":
            content = [{"type": "tool_use", "id": id, "name": name, "input": arguments}]
        head = {"id": "msg_test", "type": "message", "role": "assistant", "model": "test-model"}
        end = {"stop_reason": "tool_use" if says == "tools" else "end_turn", "stop_sequence": None}
        return {**head, "content": content, **end, "usage": {"input_tokens": 10, "output_tokens": 20}, **more}
    message: dict[str, Any] = {"role": "assistant", "content": "Hello"}
    if says == "thinking":
        message["reasoning_content"] = "hm"
    if says == "tools":
        function = {"name": name, "arguments": json.dumps(arguments)}
        message = {"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": function}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if says == "tools" else "stop"}
    head = {"id": "chatcmpl-test", "object": "chat.completion", "created": 1, "model": "test-model"}
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    return {**head, "choices": [choice], "usage": usage, **more}


def raw(
    programs: Programs, protocol: ProtocolName, model: str, *, window: int = 0
) -> tuple[socket.socket, HTTPResponse]:
    """A stream without an SDK, byte by byte."""
    body = orjson.dumps(
        {"model": model, "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": "How?"}]}
    )
    path = "/v1/messages" if protocol is ProtocolName.ANTHROPIC else "/v1/chat/completions"
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {programs.secret}\r\n"
    head += f"content-type: application/json\r\nanthropic-version: 2023-06-01\r\ncontent-length: {len(body)}\r\n\r\n"
    reader = socket.socket()
    if window:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    reader.connect(("127.0.0.1", programs.port))
    reader.settimeout(20)
    reader.sendall(head.encode() + body)
    return reader, HTTPResponse(reader)
