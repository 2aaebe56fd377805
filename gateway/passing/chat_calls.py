"""Corrects the tool calls in replies of Chat Completions that pass through, so that programs can tell them apart."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.dialects.blocks import CUT_INPUT
from gateway.ids import make_id, make_unique
from upstreams.protocols.openai.reply import read_stop_reason
from upstreams.protocols.openai.tools import PartialToolCall, PartialToolCalls, as_name
from upstreams.reply import CUT_REASONS
from upstreams.wire.tolerant_json import dump

_PREFIX: Final = "call_"

type Choice = dict[str, Any]


def find_call_ids(messages: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The ids of the calls in a conversation that nothing has checked."""
    found = (message.get("tool_calls") for message in messages)
    calls = (call for each in found if isinstance(each, list) for call in each if isinstance(call, dict))
    return frozenset(as_name(call.get("id")) for call in calls)


def correct_whole(choice: Choice, taken: frozenset[str]) -> Choice:
    """A choice of a reply in one piece, whose calls have unique ids and do not look complete if they are cut."""
    message = choice.get("message")
    if not isinstance(message, dict) or not isinstance(calls := message.get("tool_calls"), list):
        return choice
    used, corrected = set(taken), list[dict[str, Any]]()
    for call in calls:
        if isinstance(call, dict):
            corrected.append({**call, "id": _make_id(call, used)})
    if corrected and _is_cut(choice):
        corrected[-1] = _mark_cut(corrected[-1])
    return {**choice, "message": {**message, "tool_calls": corrected}}


class StreamedCalls:
    """Corrects the calls of one streamed choice. Each gets an index of its own, and its id and name once."""

    def __init__(self, taken: frozenset[str]) -> None:
        self._ids = set(taken)
        self._calls = PartialToolCalls()
        self._begun: list[PartialToolCall] = []
        self._named: set[int] = set()
        self._last_has_input = True

    def correct(self, choice: Choice) -> Choice:
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        given = delta.get("tool_calls")
        pieces = [piece for piece in given if isinstance(piece, dict)] if isinstance(given, list) else []
        calls = self._calls.take({"tool_calls": pieces})
        corrected = [self._correct_piece(piece, call) for piece, (call, _) in zip(pieces, calls, strict=True)]
        if not self._last_has_input and _is_cut(choice):
            corrected.append({"index": len(self._begun) - 1, "function": {"arguments": CUT_INPUT}})
        return {**choice, "delta": {**delta, "tool_calls": corrected}} if corrected else choice

    def _correct_piece(self, piece: Mapping[str, Any], call: PartialToolCall) -> dict[str, Any]:
        begins = not any(begun is call for begun in self._begun)
        if begins:
            self._begun.append(call)
            self._last_has_input = False
        place = next(place for place, begun in enumerate(self._begun) if begun is call)
        # Clients join the ids and names of all pieces.
        corrected = {name: value for name, value in piece.items() if name != "id"} | {"index": place}
        if begins:
            corrected |= {"id": _make_id(piece, self._ids), "type": piece.get("type") or "function"}
        if isinstance(function := piece.get("function"), dict):
            corrected["function"] = self._correct_function(function, place)
        return corrected

    def _correct_function(self, function: Mapping[str, Any], place: int) -> dict[str, Any]:
        corrected = dict(function)
        if place in self._named:
            corrected.pop("name", None)
        elif as_name(function.get("name")):
            self._named.add(place)
        if isinstance(arguments := function.get("arguments"), dict):
            corrected["arguments"] = dump(arguments).decode()
        if place == len(self._begun) - 1 and not _is_blank(corrected):
            self._last_has_input = True
        return corrected


def _make_id(call: Mapping[str, Any], taken: set[str]) -> str:
    given = as_name(call.get("id"))
    made = make_unique(given, taken) if given else make_id(_PREFIX)
    taken.add(made)
    return made


def _mark_cut(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if isinstance(function, dict) and _is_blank(function):
        return {**call, "function": {**function, "arguments": CUT_INPUT}}
    return call


def _is_blank(function: Mapping[str, Any]) -> bool:
    return not str(function.get("arguments") or "").strip()


def _is_cut(choice: Choice) -> bool:
    reason = choice.get("finish_reason")
    return isinstance(reason, str) and read_stop_reason(reason) in CUT_REASONS
