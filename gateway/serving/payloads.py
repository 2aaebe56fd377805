"""What an upstream is asked that speaks the client's protocol: the client's own words, but for a few. No I/O."""

from collections.abc import Mapping
from typing import Any

from gateway.translation import without_unsigned_thinking
from upstreams.endpoint import ProtocolName


def verbatim(protocol: ProtocolName, body: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    """The body for the model that goes by this id there."""
    if protocol is ProtocolName.ANTHROPIC:
        return {**without_unsigned_thinking(body), "model": model_id}
    payload = {**body, "model": model_id}
    if body.get("stream") is True:
        payload["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return payload


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Whether a client of Chat Completions asked to be told the usage of a stream."""
    options = body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def most_tokens(body: Mapping[str, Any]) -> int | None:
    """What all answers together may come to; None where nobody has said."""
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    return int(most) * int(body.get("n") or 1) if most else None
