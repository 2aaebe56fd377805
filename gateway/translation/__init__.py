"""A request in one protocol, said in the other. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.translation.asked import Asked
from gateway.translation.to_chat import chat_body
from gateway.translation.to_messages import messages_body
from gateway.translation.unsigned import without_unsigned_thinking
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.parameters import ModelLimits

__all__ = ["Translated", "translated", "without_unsigned_thinking"]


@dataclass(frozen=True, slots=True)
class Translated:
    body: dict[str, Any]
    dropped: list[str]
    """Paths of the fields that have no equivalent and were left out, fit for a header."""


def translated(
    body: Mapping[str, Any],
    source: ProtocolName,
    endpoint: Endpoint,
    model_id: str,
    limits: ModelLimits,
) -> Translated:
    """A checked body of the protocol `source` as one of the endpoint's, which is the other one.

    `model_id` is what the upstream calls the model. Raises the Problem of a field that has no
    equivalent where the answer would be another one without it.
    """
    asked = Asked(body)
    asked.take("model")
    sent = chat_body(asked, endpoint) if source is ProtocolName.ANTHROPIC else messages_body(asked, limits)
    return Translated({"model": model_id, **sent}, asked.dropped)
