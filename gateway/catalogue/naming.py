"""The names of models for programs."""

from collections.abc import Iterable
from typing import Final

from django.db.models import Q, QuerySet

from accounts.keys import ApiKey
from gateway.catalogue.listing import ListedModel
from gateway.catalogue.lookups import find_model_by_id
from gateway.models import find_models_for
from upstreams.models import ChatModel
from upstreams.models.chat_model import strip_folders

MAX_SLASHES: Final = 20
"""Slashes in a name at which a provider's name may end."""


def find_model(key: ApiKey, name: str) -> ChatModel | None:
    """The key's model with this name: its id at the provider, or the provider's name, a slash, and that id.

    If several providers have the same id, the bare id means the oldest model. Of an id that is a path, programs see
    only the file's name.
    """
    if model := find_model_by_id(name, key):
        return model
    models = find_models_for(key)
    return _find_by_provider(models, name) or _find_by_file(models, name)


def is_name_in(models: QuerySet[ChatModel], name: str) -> bool:
    """Whether one of the models has this name, in either form."""
    if models.filter(model_id=name).exists():
        return True
    return bool(_find_by_provider(models, name) or _find_by_file(models, name))


def _find_by_provider(models: QuerySet[ChatModel], name: str) -> ChatModel | None:
    slashes = [at for at, letter in enumerate(name) if letter == "/"][:MAX_SLASHES]
    if not slashes:
        return None
    matches = Q()
    for at in slashes:
        matches |= Q(provider__name__iexact=name[:at], model_id=name[at + 1 :])
    return models.filter(matches).order_by("pk").first()


def _find_by_file(models: QuerySet[ChatModel], name: str) -> ChatModel | None:
    is_path = Q(model_id__regex=r"^[./~]") | Q(model_id__contains="\\") | Q(model_id__contains=":/")
    for model in models.filter(is_path).order_by("pk"):
        file = strip_folders(model.model_id)
        if name.lower() in (file.lower(), f"{model.provider.name}/{file}".lower()):
            return model
    return None


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
        name = strip_folders(model.model_id)
        names[model] = f"{model.provider.name}/{name}" if name in taken else name
        taken.add(name)
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
