"""The models that each API key may use."""

from collections.abc import Iterable

from django.db import models, transaction

from accounts.keys import ApiKey
from upstreams.models import ChatModel


class AllowedModel(models.Model):
    """A model of a key that is not for every model."""

    key = models.ForeignKey("accounts.ApiKey", models.CASCADE, related_name="allowed_models")
    chat_model = models.ForeignKey("upstreams.ChatModel", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "chat_model"], name="model_allowed_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.chat_model}"


def find_models_for(key: ApiKey) -> models.QuerySet[ChatModel]:
    """The models that programs with this key may use, among those offered to people, the default first."""
    return allowed_models(ChatModel.objects.offered(), key)


def allowed_models(chat_models: models.QuerySet[ChatModel], key: ApiKey) -> models.QuerySet[ChatModel]:
    """Those of the models that the key is for, offered or not."""
    if key.every_model:
        return chat_models
    return chat_models.filter(pk__in=AllowedModel.objects.filter(key=key).values("chat_model"))


@transaction.atomic
def restrict_key(key: ApiKey, chat_models: Iterable[ChatModel]) -> None:
    """Restricts the key to these models; to none if there are none."""
    AllowedModel.objects.filter(key=key).delete()
    AllowedModel.objects.bulk_create(AllowedModel(key=key, chat_model=each) for each in chat_models)
    key.every_model = False
    key.save(update_fields=["every_model"])
