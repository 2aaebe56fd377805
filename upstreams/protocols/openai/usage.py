"""Token counts of the Chat Completions API in the terms of the Messages API."""

from collections.abc import Mapping
from typing import Any

from upstreams.events import Usage
from upstreams.protocols.token_counts import read_count


def read_usage(reported: Mapping[str, Any]) -> Usage:
    """`prompt_tokens` includes tokens read from and written to a cache. Our `input_tokens` does not."""
    prompt_details = _details(reported, "prompt_tokens_details")
    cached = _first_count(prompt_details.get("cached_tokens"), reported.get("prompt_cache_hit_tokens"))
    written = _first_count(prompt_details.get("cache_write_tokens"), reported.get("cache_write_tokens"))
    prompt = _first_count(reported.get("prompt_tokens"))
    return Usage(
        input_tokens=None if prompt is None else max(0, prompt - (cached or 0) - (written or 0)),
        output_tokens=_first_count(reported.get("completion_tokens")),
        cache_read_tokens=cached,
        cache_write_tokens=written,
        thinking_tokens=_first_count(_details(reported, "completion_tokens_details").get("reasoning_tokens")),
    )


def _details(reported: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = reported.get(name)
    return details if isinstance(details, dict) else {}


def _first_count(*counts: object) -> int | None:
    return next((count for count in map(read_count, counts) if count is not None), None)
