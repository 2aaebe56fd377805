"""Tools, and which of them is to be used, in either protocol."""

from typing import Any, Final

from gateway.translation.asked import Asked

_NO_PARAMETERS: Final = {"type": "object", "properties": {}}
_TO_CHAT: Final = {"auto": "auto", "any": "required", "none": "none"}
_TO_MESSAGES: Final = {chat: messages for messages, chat in _TO_CHAT.items()}


def chat_tools(asked: Asked) -> dict[str, Any]:
    tools, choice = asked.take("tools") or [], asked.take("tool_choice") or {}
    sent: dict[str, Any] = {}
    if tools:
        sent["tools"] = [_function(asked.within(tool, f"tools.{place}")) for place, tool in enumerate(tools)]
    if choice:
        named = {"type": "function", "function": {"name": choice.get("name")}}
        sent["tool_choice"] = _TO_CHAT.get(choice["type"], named)
    if choice.get("disable_parallel_tool_use"):
        sent["parallel_tool_calls"] = False
    return sent


def _function(tool: Asked) -> dict[str, Any]:
    if tool.take("type") not in (None, "custom"):
        raise tool.problem("type", "is a tool of another provider and not supported by this model.")
    function = {"name": tool.take("name"), "parameters": tool.take("input_schema")}
    function |= {name: value for name in ("description", "strict") if (value := tool.take(name)) is not None}
    tool.drop_rest("cache_control")
    return {"type": "function", "function": function}


def messages_tools(asked: Asked) -> dict[str, Any]:
    tools, choice = asked.take("tools") or [], asked.take("tool_choice")
    is_parallel = asked.take("parallel_tool_calls") is not False
    if not tools:
        return {}
    sent: dict[str, Any] = {
        "tools": [_tool(asked.within(tool, f"tools.{place}")) for place, tool in enumerate(tools)],
    }
    chosen = _choice(asked, choice)
    if not is_parallel and (chosen or {}).get("type") != "none":
        chosen = {"type": "auto", **(chosen or {}), "disable_parallel_tool_use": True}
    return {**sent, "tool_choice": chosen} if chosen else sent


def _tool(tool: Asked) -> dict[str, Any]:
    if tool.take("type") != "function":
        raise tool.problem("type", 'must be "function" for this model.')
    function = tool.take_within("function")
    # Every schema is an object's there, and must say so.
    sent = {"name": function.take("name"), "input_schema": {**_NO_PARAMETERS, **(function.take("parameters") or {})}}
    sent |= {name: value for name in ("description", "strict") if (value := function.take(name)) is not None}
    function.drop_rest()
    tool.drop_rest()
    return sent


def _choice(asked: Asked, choice: Any) -> dict[str, Any] | None:
    match choice:
        case None:
            return None
        case str(word):
            return {"type": _TO_MESSAGES[word]}
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}
    raise asked.problem("tool_choice.type", 'must be "function" for this model.')
