"""A provider's settings without its database row: the address of requests and their authentication."""

from dataclasses import dataclass, field
from enum import StrEnum


class ProtocolName(StrEnum):
    ANTHROPIC = "anthropic"
    OPENAI = "openai"


class AuthHeader(StrEnum):
    """The header with the key. An empty key is not sent."""

    BEARER = "bearer"
    X_API_KEY = "x-api-key"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One upstream server.

    `base_url` is what the protocol's SDK expects: without `/v1` for Anthropic, with it for OpenAI. Times are in
    seconds.
    """

    name: str
    protocol: ProtocolName
    base_url: str
    key: str = field(default="", repr=False)
    auth_header: AuthHeader = AuthHeader.BEARER
    beta: str = ""
    """The comma-separated `anthropic-beta` header. Sent only if not empty."""
    caches_prompts: bool = True
    """Anthropic only: whether requests mark their stable beginning for the cache."""
    max_tokens_field: str = "max_tokens"
    """OpenAI only: `max_tokens` or `max_completion_tokens`."""
    accepts_top_k: bool = False
    """OpenAI only: whether the server accepts `top_k`, as some local servers do."""
    reasoning_effort: bool = False
    """OpenAI only: whether a thinking budget is sent as `reasoning_effort`."""
    splits_think_tags: bool = True
    """Whether tags such as `<think>…</think>` at the start of the text mark thinking."""
    first_byte_timeout: float = 120.0
    silence_timeout: float | None = None
    """Between two bytes. None for the default of the client, here and below."""
    content_timeout: float | None = None
    """Between two pieces of content, although the server says in between that it is still there."""
    answer_timeout: float | None = None
    """For a whole reply."""
