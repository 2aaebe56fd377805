"""The names of models for programs."""

from collections.abc import Iterable
from typing import Final

from django.db.models import Q, QuerySet

from accounts.keys import ApiKey
from gateway.catalogue.listing import ListedModel
from gateway.catalogue.lookups import find_model_by_id
from gateway.models import find_models_for
from upstreams.models import ChatModel

MAX_SLASHES: Final = 20
"""Slashes in a name at which a provider's name may end."""


def find_model(key: ApiKey, name: str) -> ChatModel | None:
    """The key's model with this name: its id at the provider, or the provider's name, a slash, and that id.

    If several providers have the same id, the bare id means the oldest model.
    """
    return find_model_by_id(name, key) or _find_by_provider(find_models_for(key), name)


def is_name_in(models: QuerySet[ChatModel], name: str) -> bool:
    """Whether one of the models has this name, in either form."""
    return models.filter(model_id=name).exists() or _find_by_provider(models, name) is not None


def _find_by_provider(models: QuerySet[ChatModel], name: str) -> ChatModel | None:
    slashes = [at for at, letter in enumerate(name) if letter == "/"][:MAX_SLASHES]
    if not slashes:
        return None
    matches = Q()
    for at in slashes:
        matches |= Q(provider__name__iexact=name[:at], model_id=name[at + 1 :])
    return models.filter(matches).order_by("pk").first()


def list_models(models: Iterable[ChatModel]) -> list[ListedModel]:
    """All models, each with its shortest unambiguous name."""
    return [describe_model(model, name) for model, name in assign_names(models).items()]


def choose_name(model: ChatModel, models: Iterable[ChatModel]) -> str:
    """The model's shortest unambiguous name among the models."""
    return assign_names(models)[model]


def assign_names(models: Iterable[ChatModel]) -> dict[ChatModel, str]:
    taken: set[str] = set()
    names = {}
    for model in sorted(models, key=lambda each: each.pk):
        names[model] = f"{model.provider.name}/{model.model_id}" if model.model_id in taken else model.model_id
        taken.add(model.model_id)
    return names


def describe_model(model: ChatModel, name: str) -> ListedModel:
    return ListedModel(
        id=name,
        display_name=str(model),
        created_at=model.provider.created_at,
        max_input_tokens=model.context_window,
        max_tokens=model.max_output_tokens,
        owned_by=model.provider.name,
    )
