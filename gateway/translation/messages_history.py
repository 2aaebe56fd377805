"""Messages of the Chat Completions API in the turns of the Messages API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.ids import tool_id
from gateway.problems import Problem
from gateway.translation.asked import Asked
from gateway.translation.messages_contents import blocks_of

type Block = dict[str, Any]


@dataclass(slots=True)
class History:
    """The system prompt's blocks, and the turns of people and models by turns."""

    system: list[Block] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_using_tools(self) -> bool:
        """The model waits for what its tools have found."""
        last = self.messages[-1]["content"] if self.messages else []
        return any(block["type"] == "tool_result" for block in last)

    @property
    def is_begun(self) -> bool:
        """The last turn is the model's: the beginning of the answer that is asked for."""
        return bool(self.messages) and self.messages[-1]["role"] == "assistant"

    def add(self, role: str, blocks: list[Block]) -> None:
        """Messages of one role that follow each other are one turn, with the tools' results first."""
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            blocks = self.messages.pop()["content"] + blocks
        results = [block for block in blocks if block["type"] == "tool_result"]
        others = [block for block in blocks if block["type"] != "tool_result"]
        self.messages.append({"role": role, "content": results + others})


def history(asked: Asked) -> History:
    told = History()
    for place, message in enumerate(asked.take("messages")):
        path = f"messages.{place}"
        if message.get("name") and message["role"] != "function":
            asked.drop(f"{path}.name")
        match message["role"]:
            case "system" | "developer":
                if told.messages:
                    asked.drop(f"{path}.role")
                told.system += blocks_of(message["content"], f"{path}.content")
            case "user":
                told.add("user", blocks_of(message["content"], f"{path}.content"))
            case "assistant":
                told.add("assistant", _said(message, path))
            case "tool":
                told.add("user", [_result(message, path)])
            case _:
                raise Problem.at(f"{path}.role", 'must be "tool" for this model, which does not support functions.')
    if told.is_begun:
        _end_without_space(told.messages[-1]["content"])
    return told


def _said(message: Mapping[str, Any], path: str) -> list[Block]:
    for name in ("audio", "function_call"):
        if message.get(name):
            raise Problem.at(f"{path}.{name}", "is not supported by this model.")
    blocks = blocks_of(message.get("content") or "", f"{path}.content")
    blocks += blocks_of(message.get("refusal") or "", f"{path}.refusal")
    return blocks + list(_calls(message.get("tool_calls") or [], f"{path}.tool_calls"))


def _calls(calls: Sequence[Mapping[str, Any]], path: str) -> Iterator[Block]:
    for place, call in enumerate(calls):
        if call["type"] != "function":
            raise Problem.at(f"{path}.{place}.type", 'must be "function" for this model.')
        arguments = _parsed(call["function"]["arguments"], f"{path}.{place}.function.arguments")
        yield {"type": "tool_use", "id": tool_id(call["id"]), "name": call["function"]["name"], "input": arguments}


def _parsed(arguments: str, path: str) -> dict[str, Any]:
    try:
        value = orjson.loads(arguments) if arguments.strip() else {}
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Problem.at(path, "must be a JSON object.")
    return value


def _result(message: Mapping[str, Any], path: str) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": tool_id(message["tool_call_id"])}
    content = message["content"]
    told = content if isinstance(content, str) else blocks_of(content, f"{path}.content")
    return {**result, "content": told} if told else result


def _end_without_space(begun: list[Block]) -> None:
    """Servers refuse an answer that is begun with white space at its end."""
    if begun[-1]["type"] == "text":
        begun[-1]["text"] = begun[-1]["text"].rstrip()
