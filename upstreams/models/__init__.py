"""Providers, the chat models that they offer, and the columns of a call's usage."""

from upstreams.models.chat_model import ChatModel, ModelOff
from upstreams.models.provider import KeyHeader, Protocol, Provider, ProviderSource, check_base_url
from upstreams.models.usage import USAGE_FIELDS, UsageColumns

__all__ = [
    "USAGE_FIELDS",
    "ChatModel",
    "KeyHeader",
    "ModelOff",
    "Protocol",
    "Provider",
    "ProviderSource",
    "UsageColumns",
    "check_base_url",
]
