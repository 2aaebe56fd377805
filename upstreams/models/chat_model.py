"""The chat models that providers offer, with their abilities, limits and prices."""

import re
from decimal import Decimal
from typing import Any, Final, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Exists, Q

from chatsite.sql import PreparedQuery
from chatsite.values.figures import thousands
from upstreams import abilities
from upstreams.chat import MESSAGES_EFFORTS, Effort
from upstreams.endpoint import ProtocolName
from upstreams.events import Usage
from upstreams.models.provider import Protocol, Provider, ProviderSource
from upstreams.parameters import ModelLimits

MILLION = Decimal(1_000_000)
LARGEST_LIMIT: Final = 2**31 - 1
LIMITS_IN_TOKENS = [MinValueValidator(1), MaxValueValidator(LARGEST_LIMIT)]
NOT_NEGATIVE = MinValueValidator(0)
_PATH: Final = re.compile(r"(?:~|\.{1,2})?[/\\]|[a-z]:[/\\]|.*\\", re.IGNORECASE)


class ChatModelQuerySet(models.QuerySet["ChatModel"]):
    def offered(self) -> Self:
        """The models that people may choose, the default first. The demo is among them only if there is no other."""
        usable = self.filter(is_enabled=True, provider__is_enabled=True).select_related("provider")
        is_real = ~Q(provider__source=ProviderSource.DEMO)
        shown = usable.filter(is_real | ~Exists(usable.filter(is_real)))
        return shown.order_by("-is_default", "provider__name", "name", "pk")

    def default(self) -> "ChatModel | None":
        return self.offered().first()


class ModelOff(Exception):
    """The model is not offered to people (any more). `str(error)` says so, and what they can do."""

    kind: Final = "model_off"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is switched off. Choose another model, or ask an administrator to switch it on.")


def strip_folders(model_id: str) -> str:
    """Returns the id for people: some servers name a model by the path of its file, which is nobody's business."""
    is_path = _PATH.match(model_id)
    return (re.split(r"[/\\]", model_id.rstrip("/\\"))[-1].removesuffix(".gguf") or "model") if is_path else model_id


class ChatModel(models.Model):
    """A model that a provider offers. Prices are per million tokens, in the site's currency."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="chat_models")
    model_id = models.CharField("model ID", max_length=200)
    name = models.CharField("display name", max_length=200, blank=True)
    is_enabled = models.BooleanField("enabled", default=True)
    is_default = models.BooleanField("default", default=False, editable=False)
    is_listed = models.BooleanField("listed by the server", default=True, editable=False)
    # The values in the upstream's last listing. A field that still has its value was not set by a person.
    as_listed = models.JSONField(default=dict, editable=False)
    context_window = models.PositiveIntegerField(
        "context window (tokens)", null=True, blank=True, validators=LIMITS_IN_TOKENS
    )
    max_output_tokens = models.PositiveIntegerField(
        "output limit (tokens)", null=True, blank=True, validators=LIMITS_IN_TOKENS
    )
    supports_thinking = models.BooleanField("supports thinking budget", default=False)
    thinks_adaptively = models.BooleanField("supports adaptive thinking", default=False)
    # None if neither the server nor a person has said.
    sees_images = models.BooleanField("accepts images", null=True, blank=True)
    reads_pdf = models.BooleanField("accepts PDF files", null=True, blank=True)
    input_price = models.DecimalField(
        "input", max_digits=10, decimal_places=4, null=True, blank=True, validators=[NOT_NEGATIVE]
    )
    output_price = models.DecimalField(
        "output", max_digits=10, decimal_places=4, null=True, blank=True, validators=[NOT_NEGATIVE]
    )
    cache_read_price = models.DecimalField(
        "cache read", max_digits=10, decimal_places=4, null=True, blank=True, validators=[NOT_NEGATIVE]
    )
    cache_write_price = models.DecimalField(
        "cache write", max_digits=10, decimal_places=4, null=True, blank=True, validators=[NOT_NEGATIVE]
    )

    objects = ChatModelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "model_id"],
                name="chat_model_unique_in_provider",
                violation_error_message="This provider already has a model with this ID.",
            ),
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="one_default_chat_model"),
        ]

    def __str__(self) -> str:
        return self.name or self.model_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name = self.name or strip_folders(self.model_id)
        super().save(*args, **kwargs)

    @classmethod
    def find_offered(cls, pk: int) -> "ChatModel | None":
        """The model with this key, with its provider, if people may choose it."""
        return _OFFERED.first(pk)

    def require_offered(self) -> None:
        """Raises ModelOff unless people may choose the model at this moment."""
        if ChatModel.find_offered(self.pk) is None:
            raise ModelOff(str(self))

    @property
    def limits(self) -> ModelLimits:
        return ModelLimits(self.context_window, self.max_output_tokens, self.supports_thinking, self.thinks_adaptively)

    @property
    def can_think(self) -> bool:
        return self.supports_thinking or self.thinks_adaptively

    @property
    def takes_effort(self) -> bool:
        """Whether requests to the model have a reasoning effort."""
        if self.provider.protocol == Protocol.OPENAI:
            return self.provider.reasoning_effort
        return self.thinks_adaptively

    @property
    def efforts(self) -> list[Effort]:
        """The efforts that its protocol supports."""
        return list(Effort if self.provider.protocol == Protocol.OPENAI else MESSAGES_EFFORTS)

    @property
    def can_see(self) -> bool:
        """Whether images may be sent to the model."""
        if self.sees_images is not None:
            return self.sees_images
        return abilities.sees_images(ProtocolName(self.provider.protocol), self.model_id)

    @property
    def summary(self) -> str:
        """What people choose it by, beside its name: 200k context · sees images."""
        context = f"{thousands(self.context_window)} context" if self.context_window else ""
        return " · ".join(filter(None, [context, "sees images" if self.can_see else ""]))

    @property
    def can_read_pdf(self) -> bool:
        """Whether PDF files may be sent to the model. Otherwise their text is sent."""
        if self.reads_pdf is not None:
            return self.reads_pdf
        return abilities.reads_pdf(ProtocolName(self.provider.protocol), self.model_id)

    @property
    def is_gone(self) -> bool:
        """The server has listed the model before but does not list it now."""
        return bool(self.as_listed) and not self.is_listed

    @property
    def shown_prices(self) -> list[tuple[str, str]]:
        """Pairs of label and price, "–" for an unknown price."""
        given, taken, read, written = (
            "–" if price is None else f"{price.normalize():f}"
            for price in (self.input_price, self.output_price, self.cache_read_price, self.cache_write_price)
        )
        cache = "–" if read == written == "–" else f"{read} / {written}"
        return [("Input", given), ("Output", taken), ("Cache r / w", cache)]

    def set_offered(self, is_enabled: bool) -> None:
        """Offers the model to people or stops offering it. A model that is not offered cannot be the default."""
        self.is_enabled, self.is_default = is_enabled, self.is_default and is_enabled
        self.save(update_fields=["is_enabled", "is_default"])

    @transaction.atomic
    def make_default(self) -> None:
        """Makes new conversations start with this model instead of the previous default."""
        ChatModel.objects.filter(is_default=True).exclude(pk=self.pk).update(is_default=False)
        self.is_default = self.is_enabled = True
        self.save(update_fields=["is_default", "is_enabled"])

    def follow_listing(self, listed: dict[str, Any]) -> None:
        """Takes over the values in the upstream's listing, except where a person has set another one. Does not save."""
        untouched = ChatModel()
        for field, value in listed.items():
            if getattr(self, field) in ("", None, self.as_listed.get(field, getattr(untouched, field))):
                setattr(self, field, value)
        self.as_listed, self.is_listed = listed, True

    def calculate_cost(self, usage: Usage) -> Decimal | None:
        """The cost of a call in the currency of the prices; None if a price or a figure is unknown.

        Cached tokens without their own price cost as much as other input.
        """
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        if self.input_price is None or self.output_price is None:
            return None
        cache_read = self.input_price if self.cache_read_price is None else self.cache_read_price
        cache_write = self.input_price if self.cache_write_price is None else self.cache_write_price
        total = (
            usage.input_tokens * self.input_price
            + usage.output_tokens * self.output_price
            + (usage.cache_read_tokens or 0) * cache_read
            + (usage.cache_write_tokens or 0) * cache_write
        )
        return total / MILLION


# Runs for every turn.
_OFFERED: Final = PreparedQuery(lambda pk: ChatModel.objects.offered().filter(pk=pk), 2**53, related="provider")
