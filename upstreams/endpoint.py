"""Where a request goes and how it is let in: a provider's settings without its database row."""

from dataclasses import dataclass, field
from enum import StrEnum


class ProtocolName(StrEnum):
    ANTHROPIC = "anthropic"
    OPENAI = "openai"


class AuthHeader(StrEnum):
    """The header that carries the key; with an empty key none is sent."""

    BEARER = "bearer"
    X_API_KEY = "x-api-key"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One upstream server.

    `base_url` has the meaning that the protocol's SDK gives it: without `/v1`
    for Anthropic, with it for OpenAI. Times are seconds.
    """

    name: str
    protocol: ProtocolName
    base_url: str
    key: str = field(default="", repr=False)
    auth_header: AuthHeader = AuthHeader.BEARER
    beta: str = ""
    """Comma list for `anthropic-beta`; sent only when not empty."""
    caches_prompts: bool = True
    """Anthropic only: the stable beginning of a request is marked to be cached."""
    max_tokens_field: str = "max_tokens"
    """OpenAI only: `max_tokens` or `max_completion_tokens`."""
    accepts_top_k: bool = False
    """OpenAI only: some local servers take `top_k`."""
    reasoning_effort: bool = False
    """OpenAI only: a thinking budget is sent as `reasoning_effort`."""
    splits_think_tags: bool = True
    """OpenAI only: `<think>…</think>` at the start of the text is thinking."""
    first_byte_timeout: float = 120.0
