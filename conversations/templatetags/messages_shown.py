"""Filters that show messages, their parts and their authors."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template

from chatsite.values import figures
from conversations.live.blocks import AttachedFile, ShownBlock, attached_file, attached_files, shown_blocks
from conversations.models import Generation, Message, Role
from conversations.models.attachment import reference_in

register = template.Library()

STOP_REASONS = {
    "end_turn": "end of answer",
    "max_tokens": "length limit",
    "model_context_window_exceeded": "context window full",
    "pause_turn": "pause",
    "refusal": "declined",
    "stop_sequence": "stop sequence",
    "tool_use": "tool call",
}

register.filter("thought", figures.thought)


@register.filter
def blocks(message: Message) -> list[ShownBlock]:
    return shown_blocks(message)


@register.filter
def image_in(block: Mapping[str, Any]) -> AttachedFile | None:
    """The stored file of an image block in a tool result."""
    key = reference_in(block)
    return attached_file(block, key) if key else None


@register.filter
def attached(message: Message) -> list[AttachedFile]:
    return attached_files(message.blocks) if message.role == Role.USER else []


@register.filter
def speaker(message: Message) -> str:
    """The name of the person or the model."""
    if message.role == Role.USER:
        return str(message.author or "Former user")
    return (message.generation and message.generation.model_name) or "Model"


@register.filter
def speaker_initials(message: Message) -> str:
    """The initials of the person or of the model's provider."""
    if message.role == Role.USER:
        return initials(message.author or "")
    return initials(message.generation.provider_name if message.generation else "")


@register.filter
def is_answering(messages: Iterable[Message]) -> bool:
    return any(message.generation and message.generation.is_unfinished for message in messages)


@register.filter
def initials(name: object) -> str:
    """Up to two letters of a name."""
    words = [word for word in str(name).split() if word[:1].isalnum()]
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "") if words else "?"
    return letters.upper()


@register.filter
def first_word(name: str) -> str:
    """Ada, of Ada Lovelace."""
    return str(name).split(maxsplit=1)[0] if str(name).split() else ""


@register.filter
def hue(pk: int) -> int:
    """Returns a key's colour, one of eight in the style sheet."""
    return (pk or 0) % 8


@register.filter
def seconds(generation: Generation) -> float | None:
    return generation.duration.total_seconds() if generation.duration else None


@register.filter
def stop_reason(reason: str) -> str:
    """Returns words for a protocol's stop reason, or an unknown reason unchanged."""
    return STOP_REASONS.get(reason, reason)
