"""The payload for an upstream that speaks the program's protocol: the program's own, with a few changes. No I/O."""

from collections.abc import Mapping
from typing import Any

from gateway.translation import without_unsigned_thinking
from upstreams.endpoint import ProtocolName


def pass_through_payload(protocol: ProtocolName, body: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    """`model_id` is the upstream's name for the model."""
    if protocol is ProtocolName.ANTHROPIC:
        return {**without_unsigned_thinking(body), "model": model_id}
    payload = {**body, "model": model_id}
    if body.get("stream") is True:
        payload["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return payload


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Whether a request for a stream of Chat Completions asks for the usage."""
    options = body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True
