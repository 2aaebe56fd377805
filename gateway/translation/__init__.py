"""Translates requests from one protocol into the other. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.translation.calls import ReplyCalls
from gateway.translation.fields import RequestFields
from gateway.translation.to_chat import chat_body
from gateway.translation.to_messages import messages_body
from gateway.translation.unsigned import without_unsigned_thinking
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.parameters import ModelLimits

__all__ = ["ReplyCalls", "Translation", "translate", "without_unsigned_thinking"]


@dataclass(frozen=True, slots=True)
class Translation:
    body: dict[str, Any]
    dropped: list[str]
    """Paths of the fields that were left out because they have no equivalent. Each is safe in a header."""
    calls: ReplyCalls
    """Translates the tool calls of the reply."""


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
    sent = chat_body(request, endpoint) if source is ProtocolName.ANTHROPIC else messages_body(request, limits)
    return Translation({"model": model_id, **sent}, request.dropped, ReplyCalls(body, source))
