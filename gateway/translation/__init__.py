"""Translates requests from one protocol into the other. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.translation.calls import ReplyCalls
from gateway.translation.fields import RequestFields
from gateway.translation.json_object import JsonObjectText
from gateway.translation.to_chat import chat_body
from gateway.translation.to_messages import is_json_object_wanted, messages_body
from gateway.translation.unsigned import without_unsigned_thinking
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.events import ReplyEvent
from upstreams.parameters import ModelLimits

__all__ = ["ReplyCalls", "TranslateReply", "Translation", "translate", "without_unsigned_thinking"]


type TranslateReply = Callable[[Sequence[ReplyEvent]], Sequence[ReplyEvent]]


@dataclass(frozen=True, slots=True)
class Translation:
    body: dict[str, Any]
    dropped: list[str]
    """Paths of the fields that were left out because they have no equivalent. Each is safe in a header."""
    translate_reply: TranslateReply
    """Translates events of the reply, in their order, to what the client's request asked for."""


def translate(
    body: Mapping[str, Any],
    source: ProtocolName,
    endpoint: Endpoint,
    model_id: str,
    limits: ModelLimits,
) -> Translation:
    """Translates a checked body from the protocol `source` into the endpoint's, which is the other one.

    `model_id` is the upstream's name for the model. Raises a Problem for a field that has no equivalent and without
    which the reply would be a different one.
    """
    request = RequestFields(body)
    request.take("model")
    if source is ProtocolName.ANTHROPIC:
        sent = chat_body(request, endpoint)
    else:
        sent = messages_body(request, endpoint, limits)
    translate_reply: TranslateReply = ReplyCalls(body, source).translate
    if source is ProtocolName.OPENAI and is_json_object_wanted(body, sent):
        translate_reply = _chain(translate_reply, JsonObjectText().translate)
    return Translation({"model": model_id, **sent}, request.dropped, translate_reply)


def _chain(first: TranslateReply, second: TranslateReply) -> TranslateReply:
    return lambda events: second(first(events))
