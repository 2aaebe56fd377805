"""Translates tools, and the choice among them, into either protocol."""

from typing import Any, Final

from gateway.ids import shorten_name
from gateway.translation.fields import RequestFields

_NO_PARAMETERS: Final = {"type": "object", "properties": {}}
_TO_CHAT: Final = {"auto": "auto", "any": "required", "none": "none"}
_TO_MESSAGES: Final = {chat: messages for messages, chat in _TO_CHAT.items()}


def chat_tools(request: RequestFields) -> dict[str, Any]:
    tools, choice = request.take("tools") or [], request.take("tool_choice") or {}
    sent: dict[str, Any] = {}
    if tools:
        sent["tools"] = [_function(request.within(tool, f"tools.{place}")) for place, tool in enumerate(tools)]
    if choice:
        named = {"type": "function", "function": {"name": shorten_name(choice.get("name") or "")}}
        sent["tool_choice"] = _TO_CHAT.get(choice["type"], named)
    if choice.get("disable_parallel_tool_use"):
        sent["parallel_tool_calls"] = False
    return sent


def _function(tool: RequestFields) -> dict[str, Any]:
    if tool.take("type") not in (None, "custom"):
        raise tool.problem("type", "is a tool of another provider and not supported by this model.")
    function = {"name": shorten_name(tool.take("name")), "parameters": tool.take("input_schema")}
    function |= {name: value for name in ("description", "strict") if (value := tool.take(name)) is not None}
    tool.drop_rest("cache_control")
    return {"type": "function", "function": function}


def messages_tools(request: RequestFields) -> dict[str, Any]:
    tools, choice = request.take("tools") or [], request.take("tool_choice")
    is_parallel = request.take("parallel_tool_calls") is not False
    if not tools:
        return {}
    sent: dict[str, Any] = {
        "tools": [_tool(request.within(tool, f"tools.{place}")) for place, tool in enumerate(tools)],
    }
    chosen = _choice(request, choice)
    if not is_parallel and (chosen or {}).get("type") != "none":
        chosen = {"type": "auto", **(chosen or {}), "disable_parallel_tool_use": True}
    return {**sent, "tool_choice": chosen} if chosen else sent


def _tool(tool: RequestFields) -> dict[str, Any]:
    if tool.take("type") != "function":
        raise tool.problem("type", 'must be "function" for this model.')
    function = tool.take_within("function")
    # The Messages API requires each schema to be an object's.
    sent = {"name": function.take("name"), "input_schema": {**_NO_PARAMETERS, **(function.take("parameters") or {})}}
    sent |= {name: value for name in ("description", "strict") if (value := function.take(name)) is not None}
    function.drop_rest()
    tool.drop_rest()
    return sent


def _choice(request: RequestFields, choice: Any) -> dict[str, Any] | None:
    match choice:
        case None:
            return None
        case str(word):
            return {"type": _TO_MESSAGES.get(word, word)}
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}
    raise request.problem("tool_choice.type", 'must be "function" for this model.')
