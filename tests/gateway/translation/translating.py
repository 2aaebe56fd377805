"""Checks and translates requests as the gateway does, for an upstream of the other protocol."""

from typing import Any

from gateway.dialects import DIALECTS
from gateway.translation import Translation, translate
from tests.upstreams.protocols.reading import endpoint
from upstreams.endpoint import ProtocolName
from upstreams.parameters import ModelLimits

HELLO = [{"role": "user", "content": "hi"}]


def to_chat(body: dict[str, Any], **settings: Any) -> Translation:
    """A Messages body, for a Chat Completions server with these settings."""
    DIALECTS[ProtocolName.ANTHROPIC].check(body)
    at = endpoint(ProtocolName.OPENAI, **settings)
    return translate(body, ProtocolName.ANTHROPIC, at, "their-name", ModelLimits())


def to_messages(body: dict[str, Any], limits: ModelLimits | None = None) -> Translation:
    """A Chat Completions body, for a model of a Messages server with these limits."""
    DIALECTS[ProtocolName.OPENAI].check(body)
    return translate(body, ProtocolName.OPENAI, endpoint(ProtocolName.ANTHROPIC), "their-name", limits or ModelLimits())


def asked_in_messages(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": HELLO, **fields}


def asked_in_chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": HELLO, **fields}
