"""Token counts of the Chat Completions API in the Messages API's meaning."""

from collections.abc import Mapping
from typing import Any

from upstreams.events import Usage


def usage_of(reported: Mapping[str, Any]) -> Usage:
    """`prompt_tokens` includes what came from or went into a cache; our `input_tokens` does not."""
    prompt_details = _details(reported, "prompt_tokens_details")
    cached = _first(prompt_details.get("cached_tokens"), reported.get("prompt_cache_hit_tokens"))
    written = _first(prompt_details.get("cache_write_tokens"), reported.get("cache_write_tokens"))
    prompt = _first(reported.get("prompt_tokens"))
    return Usage(
        input_tokens=None if prompt is None else max(0, prompt - (cached or 0) - (written or 0)),
        output_tokens=_first(reported.get("completion_tokens")),
        cache_read_tokens=cached,
        cache_write_tokens=written,
        thinking_tokens=_first(_details(reported, "completion_tokens_details").get("reasoning_tokens")),
    )


def _details(reported: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = reported.get(name)
    return details if isinstance(details, dict) else {}


def _first(*counts: object) -> int | None:
    return next((int(count) for count in counts if isinstance(count, int | float) and count >= 0), None)
