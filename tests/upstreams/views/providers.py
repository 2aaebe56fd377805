"""Helpers for the tests of the provider pages."""

from typing import Any

from tests.fakes import ModelServer
from upstreams.models import ChatModel, Provider

SECRET = "sk-never-to-be-seen-0123456789"

FIELDS = {
    "name": "House",
    "protocol": "openai",
    "base_url": "http://models.example/v1",
    "is_enabled": "on",
    "auth_header": "bearer",
    "max_tokens_field": "max_tokens",
    "first_byte_timeout": "120",
    "silence_timeout": "120",
    "content_timeout": "900",
    "answer_timeout": "3600",
}


def provider(**changes: Any) -> Provider:
    made = Provider(**{"name": "House", "protocol": "openai", "base_url": "http://models.example/v1", **changes})
    made.set_key(SECRET)
    made.save()
    return made


def provider_at(server: ModelServer, **changes: Any) -> Provider:
    return provider(protocol=server.protocol, base_url=server.url, **changes)


def model_of(made: Provider, model_id: str = "small", **changes: Any) -> ChatModel:
    return made.chat_models.create(model_id=model_id, **changes)


def listed(*ids: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": model_id, **fields} for model_id in ids]
