"""Translates messages of the Chat Completions API into turns of the Messages API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gateway.ids import make_tool_id
from gateway.problems import Problem
from gateway.translation.fields import RequestFields
from gateway.translation.messages_contents import blocks_of
from upstreams.wire.nesting import MAX_DEPTH, is_too_deep
from upstreams.wire.tolerant_json import load

type Block = dict[str, Any]

BEFORE_GREETING: Final = "(The assistant speaks first.)"
"""The user's turn before a conversation that the assistant began."""


@dataclass(slots=True)
class MessagesHistory:
    """The blocks of the system prompt, and the alternating turns of user and assistant."""

    system: list[Block] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_using_tools(self) -> bool:
        """Whether the last turn holds results of tools."""
        last = self.messages[-1]["content"] if self.messages else []
        return any(block["type"] == "tool_result" for block in last)

    @property
    def is_prefilled(self) -> bool:
        """Whether the last turn is the assistant's, and so begins the answer."""
        return bool(self.messages) and self.messages[-1]["role"] == "assistant"

    def ensure_question(self) -> None:
        """Makes the first turn the user's, as servers require. Raises a Problem if there is nothing to send."""
        if not self.messages:
            if not self.system:
                raise Problem.at("messages", "must contain text, an image or a file.")
            self.system, blocks = [], self.system
            self.add("user", blocks)
        elif self.messages[0]["role"] == "assistant":
            self.messages.insert(0, {"role": "user", "content": [{"type": "text", "text": BEFORE_GREETING}]})

    def add(self, role: str, blocks: list[Block]) -> None:
        """Joins messages of the same role into one turn, with the results of tools first."""
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            blocks = self.messages.pop()["content"] + blocks
        results = [block for block in blocks if block["type"] == "tool_result"]
        others = [block for block in blocks if block["type"] != "tool_result"]
        self.messages.append({"role": role, "content": results + others})


def read_history(request: RequestFields) -> MessagesHistory:
    history = MessagesHistory()
    for place, message in enumerate(request.take("messages")):
        path = f"messages.{place}"
        if message.get("name") and message["role"] != "function":
            request.drop(f"{path}.name")
        match message["role"]:
            case "system" | "developer":
                if history.messages:
                    request.drop(f"{path}.role")
                history.system += blocks_of(message["content"], f"{path}.content")
            case "user":
                history.add("user", blocks_of(message["content"], f"{path}.content"))
            case "assistant":
                history.add("assistant", _assistant_blocks(message, path))
            case "tool":
                history.add("user", [_tool_result(message, path)])
            case _:
                raise Problem.at(f"{path}.role", 'must be "tool" for this model, which does not support functions.')
    history.ensure_question()
    if history.is_prefilled:
        _strip_end(history.messages[-1]["content"])
    return history


def _assistant_blocks(message: Mapping[str, Any], path: str) -> list[Block]:
    for name in ("audio", "function_call"):
        if message.get(name):
            raise Problem.at(f"{path}.{name}", "is not supported by this model.")
    blocks = blocks_of(message.get("content") or "", f"{path}.content")
    blocks += blocks_of(message.get("refusal") or "", f"{path}.refusal")
    return blocks + list(_tool_uses(message.get("tool_calls") or [], f"{path}.tool_calls"))


def _tool_uses(calls: Sequence[Mapping[str, Any]], path: str) -> Iterator[Block]:
    for place, call in enumerate(calls):
        if call["type"] != "function":
            raise Problem.at(f"{path}.{place}.type", 'must be "function" for this model.')
        arguments = _parse_arguments(call["function"]["arguments"], f"{path}.{place}.function.arguments")
        yield {"type": "tool_use", "id": make_tool_id(call["id"]), "name": call["function"]["name"], "input": arguments}


def _parse_arguments(arguments: str, path: str) -> dict[str, Any]:
    try:
        value = load(arguments) if arguments.strip() else {}
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Problem.at(path, "must be a JSON object.")
    if is_too_deep(value, MAX_DEPTH):
        raise Problem.at(path, f"must have at most {MAX_DEPTH} levels of arrays and objects.")
    return value


def _tool_result(message: Mapping[str, Any], path: str) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": make_tool_id(message["tool_call_id"])}
    content = message["content"]
    translated = content if isinstance(content, str) else blocks_of(content, f"{path}.content")
    return {**result, "content": translated} if translated else result


def _strip_end(blocks: list[Block]) -> None:
    """Servers refuse a prefilled answer that ends in white space."""
    if blocks[-1]["type"] == "text":
        blocks[-1]["text"] = blocks[-1]["text"].rstrip()
