"""Providers: upstream servers, how to reach them and how to authenticate."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from upstreams import addresses
from upstreams.endpoint import AuthHeader, Endpoint, ProtocolName
from upstreams.sealing import SealBroken, seal, unseal


def check_base_url(url: str) -> None:
    if fault := addresses.find_fault(url):
        raise ValidationError(fault, code="invalid")


class Protocol(models.TextChoices):
    ANTHROPIC = ProtocolName.ANTHROPIC, "Anthropic Messages"
    OPENAI = ProtocolName.OPENAI, "OpenAI chat completions"


class KeyHeader(models.TextChoices):
    BEARER = AuthHeader.BEARER, "Authorization: Bearer …"
    X_API_KEY = AuthHeader.X_API_KEY, "x-api-key: …"


class ProviderSource(models.TextChoices):
    """The creator of a provider. Every start updates the providers of the environment."""

    PERSON = "person", "an administrator"
    ENVIRONMENT = "environment", "the environment"
    DEMO = "demo", "the built-in demo"


TIME_LIMITS = [MinValueValidator(1), MaxValueValidator(3600)]


class Provider(models.Model):
    """One upstream server: how to reach it and how to authenticate."""

    name = models.CharField(max_length=80)
    protocol = models.CharField(max_length=20, choices=Protocol)
    base_url = models.CharField("base URL", max_length=500, validators=[check_base_url])
    sealed_key = models.TextField(blank=True, editable=False)
    auth_header = models.CharField(
        "authentication header",
        max_length=20,
        choices=KeyHeader,
        default=KeyHeader.BEARER,
    )
    beta = models.CharField("anthropic-beta", max_length=300, blank=True)
    caches_prompts = models.BooleanField("caches prompts", default=True)
    max_tokens_field = models.CharField(
        "output limit field",
        max_length=30,
        choices=[("max_tokens", "max_tokens"), ("max_completion_tokens", "max_completion_tokens")],
        default="max_tokens",
    )
    accepts_top_k = models.BooleanField("accepts top_k", default=False)
    reasoning_effort = models.BooleanField("accepts reasoning_effort", default=False)
    splits_think_tags = models.BooleanField("treat <think> tags as thinking", default=True)
    first_byte_timeout = models.PositiveIntegerField(
        "time limit for the first byte (seconds)", default=120, validators=TIME_LIMITS
    )
    silence_timeout = models.PositiveIntegerField(
        "time limit for silence (seconds)", default=120, validators=TIME_LIMITS
    )
    content_timeout = models.PositiveIntegerField(
        "time limit for content (seconds)", default=900, validators=TIME_LIMITS
    )
    answer_timeout = models.PositiveIntegerField(
        "time limit for an answer (seconds)", default=3600, validators=[MinValueValidator(1), MaxValueValidator(86400)]
    )
    is_enabled = models.BooleanField("enabled", default=True)
    # Disabled because its variables left the environment. If they return, it is enabled again, but not if a person
    # disabled it.
    is_withdrawn = models.BooleanField(default=False, editable=False)
    source = models.CharField(max_length=20, choices=ProviderSource, default=ProviderSource.PERSON, editable=False)
    listing_error = models.TextField(blank=True, editable=False)
    listed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="provider_name_unique",
                violation_error_message="Another provider already has this name.",
            ),
            # Two processes that start at once must not create two rows.
            models.UniqueConstraint(
                fields=["source", "protocol"],
                condition=~Q(source=ProviderSource.PERSON),
                name="one_provider_of_the_installation",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_key(self) -> bool:
        return bool(self.sealed_key)

    @property
    def is_demo(self) -> bool:
        return self.source == ProviderSource.DEMO

    @property
    def is_from_environment(self) -> bool:
        return self.source == ProviderSource.ENVIRONMENT

    @property
    def is_key_readable(self) -> bool:
        """False if the key was sealed with another SEALING_KEY and must be entered again."""
        try:
            unseal(self.sealed_key)
        except SealBroken:
            return False
        return True

    def set_key(self, key: str) -> None:
        self.sealed_key = seal(key.strip())

    def forget_listing(self) -> None:
        """Marks the models as never listed, because the server or its key has changed. Does not save."""
        self.listed_at, self.listing_error = None, ""

    def build_endpoint(self) -> Endpoint:
        """Raises SealBroken if the key cannot be read."""
        return Endpoint(
            name=self.name,
            protocol=ProtocolName(self.protocol),
            base_url=self.base_url,
            key=unseal(self.sealed_key),
            auth_header=AuthHeader(self.auth_header),
            beta=self.beta,
            caches_prompts=self.caches_prompts,
            max_tokens_field=self.max_tokens_field,
            accepts_top_k=self.accepts_top_k,
            reasoning_effort=self.reasoning_effort,
            splits_think_tags=self.splits_think_tags,
            first_byte_timeout=float(self.first_byte_timeout),
            silence_timeout=float(self.silence_timeout),
            content_timeout=float(self.content_timeout),
            answer_timeout=float(self.answer_timeout),
        )
