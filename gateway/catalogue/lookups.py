"""The two queries that every request runs: for the API key, and for the model."""

from typing import Any, Final

from django.db import models
from django.db.models.functions import Now

from accounts.keys import ApiKey, digest_of, is_secret
from chatsite.sql import PreparedQuery
from gateway.models import find_models_for
from upstreams.models import ChatModel

_NUMBER: Final = 2**53
_TEXT: Final = "an example"
_now: Final[Any] = Now()


def _filter_by_name(name: str, key: ApiKey) -> models.QuerySet[ChatModel]:
    return find_models_for(key).filter(model_id=name).order_by("pk")


_KEY: Final = PreparedQuery(lambda digest: ApiKey.objects.valid(_now).filter(digest=digest), _TEXT, related="person")
_AMONG_ALL: Final = PreparedQuery(
    lambda name: _filter_by_name(name, ApiKey(every_model=True)), _TEXT, related="provider"
)
_AMONG_ALLOWED: Final = PreparedQuery(
    lambda name, key: _filter_by_name(name, ApiKey(pk=key, every_model=False)), _TEXT, _NUMBER, related="provider"
)


def find_key(secret: str) -> ApiKey | None:
    """The valid key with this secret, with its person."""
    return _KEY.first(digest_of(secret)) if is_secret(secret) else None


def find_model_by_id(name: str, key: ApiKey) -> ChatModel | None:
    """The first of the key's models that has this id, with its provider."""
    return _AMONG_ALL.first(name) if key.every_model else _AMONG_ALLOWED.first(name, key.pk)
