"""Reads a server's list of models in every shape that servers use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from upstreams.endpoint import Endpoint
from upstreams.errors import NotAModelServer
from upstreams.protocols.refusals import find_failure, redact


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One model that a server offers. Sizes are in tokens. None means that the server does not report the field."""

    id: str
    display_name: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    sees_images: bool | None = None
    reads_pdf: bool | None = None
    supports_thinking: bool | None = None
    """Whether it can think with a budget."""
    thinks_adaptively: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One page of models. `next_after` is the id that asks for the next page, "" on the last page."""

    models: list[ModelListing]
    next_after: str = ""


_CONTEXT_WINDOW: Final = ("max_input_tokens", "context_length", "context_window", "max_model_len", "max_context_length")
_MAX_OUTPUT: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def read_models(body: bytes, endpoint: Endpoint) -> ModelPage:
    """Reads {"data": […]}, which both protocols use, and {"models": […]} or a bare array, which some servers use."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    match answer:
        case {"data": list(entries)} | {"models": list(entries)} | list(entries):
            models = [model for entry in entries if (model := _read_model(entry))]
        case {"data": None} | {"models": None}:
            models = []
        case _:
            detail = redact(body[:4096].decode("utf-8", "replace"), endpoint)
            raise find_failure(endpoint, answer) or NotAModelServer.at(endpoint.name, detail=detail)
    match answer:
        case {"has_more": True, "last_id": str(last)}:
            return ModelPage(models, next_after=last)
    return ModelPage(models)


def _read_model(entry: object) -> ModelListing | None:
    match entry:
        case str(name) if name:
            return ModelListing(name, name)
        case {"id": str(name)} | {"name": str(name)} | {"model": str(name)} if name and isinstance(entry, dict):
            shown = entry.get("display_name")
            return ModelListing(
                id=name,
                display_name=shown if isinstance(shown, str) and shown else name,
                context_window=_first_count(entry, _CONTEXT_WINDOW),
                max_output_tokens=_first_count(entry, _MAX_OUTPUT),
                sees_images=_takes(entry, "image", "vision", "image_input", "multimodal"),
                reads_pdf=_takes(entry, "file", "pdf", "pdf_input", "document"),
                supports_thinking=_thinks(entry, "enabled"),
                thinks_adaptively=_thinks(entry, "adaptive"),
            )
    return None


def _takes(entry: Mapping[str, Any], *words: str) -> bool | None:
    """Whether the entry names one of these words among its inputs or abilities; None if it is unknown.

    A list of inputs is complete, but a list of abilities may omit some.
    """
    match entry:
        case {"architecture": {"input_modalities": list(inputs)}} | {"input_modalities": list(inputs)}:
            return any(word in inputs for word in words)
        case {"capabilities": dict(abilities)}:
            answers = [_is_supported(abilities[word]) for word in words if word in abilities]
            return any(answers) if answers else None
        case {"capabilities": list(abilities)} if any(word in abilities for word in words):
            return True
    return None


def _thinks(entry: Mapping[str, Any], kind: str) -> bool | None:
    """Whether the model supports this kind of thinking; None if it is unknown."""
    match entry:
        case {"capabilities": {"thinking": {"types": dict(kinds)}}}:
            return _is_supported(kinds.get(kind))
        case {"capabilities": {"thinking": dict() | bool() as ability}} if not _is_supported(ability):
            return False
    return None


def _is_supported(ability: object) -> bool:
    return ability.get("supported") is True if isinstance(ability, dict) else ability is True


def _first_count(entry: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((entry[name] for name in names if type(entry.get(name)) is int and entry[name] > 0), None)
