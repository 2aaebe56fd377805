"""The forms that save and test a provider's settings."""

from dataclasses import replace
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property

from upstreams import addresses
from upstreams.catalogue.environment import is_named
from upstreams.endpoint import Endpoint
from upstreams.models import Provider, ProviderSource

# The page hides these fields until somebody opens "More settings".
_MORE_SETTINGS: Final = frozenset(
    {
        *("auth_header", "beta", "caches_prompts", "max_tokens_field", "accepts_top_k", "reasoning_effort"),
        *("splits_think_tags", "first_byte_timeout", "silence_timeout", "content_timeout", "answer_timeout"),
    }
)
_OF_THE_SERVER: Final = ("protocol", "base_url", "key", "remove_key")


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """A provider's settings. The form stores a key but never shows it: the field is always empty.

    A stored key belongs to the server it was entered for. If the address names another server, the key must be entered
    again.
    """

    instance: Provider
    key = forms.CharField(
        label="API key",
        required=False,
        max_length=4000,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false", "data-reveal": ""}),
        help_text="Encrypted and never shown again. Leave empty if the server needs no key.",
    )
    remove_key = forms.BooleanField(label="Remove the key", required=False)

    class Meta:
        model = Provider
        fields = [
            "name",
            "protocol",
            "base_url",
            "is_enabled",
            "auth_header",
            "beta",
            "caches_prompts",
            "max_tokens_field",
            "accepts_top_k",
            "reasoning_effort",
            "splits_think_tags",
            "first_byte_timeout",
            "silence_timeout",
            "content_timeout",
            "answer_timeout",
        ]
        labels = {
            "is_enabled": "Enabled",
            "auth_header": "Key header",
            "beta": "Beta features",
            "caches_prompts": "Prompt caching",
            "max_tokens_field": "Field for the output limit",
            "accepts_top_k": "Accepts top_k",
            "reasoning_effort": "Accepts reasoning_effort",
            "splits_think_tags": "Treat <think> tags as thinking",
            "first_byte_timeout": "Time limit for the first byte (seconds)",
            "silence_timeout": "Time limit for silence (seconds)",
            "content_timeout": "Time limit between two pieces of text (seconds)",
            "answer_timeout": "Time limit for an answer (seconds)",
        }
        help_texts = {
            "name": "Shown to people next to its models.",
            "protocol": "The API that the server implements.",
            "is_enabled": "People can only use models of enabled providers.",
            "beta": "Comma-separated, sent as anthropic-beta. Usually empty.",
            "caches_prompts": "Reads earlier messages from a cheaper cache. Turn it off if the server rejects it.",
            "max_tokens_field": "Newer OpenAI models need max_completion_tokens; most other servers need max_tokens.",
            "accepts_top_k": "vLLM and llama.cpp accept it; OpenAI does not.",
            "reasoning_effort": "Sends a thinking budget as low, medium or high.",
            "splits_think_tags": "For servers that include a model's thinking in its text.",
            "first_byte_timeout": "A large model on a slow machine may need minutes to start an answer.",
            "silence_timeout": "How long a server that has begun to answer may send nothing at all.",
            "content_timeout": "How long a server may signal only that it is working, as while a request queues.",
            "answer_timeout": "An answer that takes longer is cut off.",
        }
        widgets = {
            "base_url": forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"})
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Copies, because validation writes the form's values into the instance.
        self._stored_url, self._sealed_key = self.instance.base_url, self.instance.sealed_key
        if self.instance.source != ProviderSource.PERSON:
            for name in _OF_THE_SERVER:
                del self.fields[name]
            if not is_named(self.instance):
                del self.fields["is_enabled"]
        elif not self.instance.has_key:
            del self.fields["remove_key"]
        else:
            self.fields["key"].help_text = "A key is set. Leave empty to keep it."
        if "base_url" in self.fields:
            self.fields["base_url"].help_text = "Anthropic: without /v1. OpenAI-compatible: usually with /v1."

    @property
    def has_errors_in_more_settings(self) -> bool:
        return not _MORE_SETTINGS.isdisjoint(self.errors)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Provider.objects.exclude(pk=self.instance.pk).filter(name__iexact=name).exists():
            raise ValidationError("Another provider already has this name.", code="unique")
        return name

    def clean_base_url(self) -> str:
        return addresses.normalize(self.cleaned_data["base_url"])

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValidationError("A key can only contain printable ASCII characters, without spaces. Copy it again.")
        return key

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("key") and cleaned.get("remove_key"):
            self.add_error("remove_key", "Either enter a new key or remove the old one.")
        elif self._would_send_key_elsewhere(cleaned):
            words = "The address is on another server now. Enter its key"
            self.add_error("key", f"{words}, or select “Remove the key” if it needs none.")
        return cleaned

    def save(self, commit: bool = True) -> Provider:
        if self.cleaned_data.get("key"):
            self.instance.set_key(self.cleaned_data["key"])
        elif self.cleaned_data.get("remove_key"):
            self.instance.set_key("")
        if self.is_another_server:
            self.instance.forget_listing()
        super().save(commit)
        return self.instance

    @cached_property
    def is_another_server(self) -> bool:
        """Whether the address, the protocol or the key has changed, so that the models must be listed again."""
        return bool({"base_url", "protocol", "auth_header"} & set(self.changed_data)) or (
            self.instance.sealed_key != self._sealed_key
        )

    def _would_send_key_elsewhere(self, cleaned: dict[str, Any]) -> bool:
        if "key" not in self.fields or not self._sealed_key or cleaned.get("key") or cleaned.get("remove_key"):
            return False
        return "base_url" in cleaned and not addresses.have_same_origin(cleaned["base_url"], self._stored_url)


class TrialForm(ProviderForm):
    """The same settings for a connection test. They are not saved, and the name may be missing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False

    def clean_name(self) -> str:
        return self.cleaned_data["name"] or "The server"

    def validate_constraints(self) -> None:
        """Allows a test under a name that is already taken."""

    def build_endpoint(self) -> Endpoint:
        """Raises SealBroken if the test needs the stored key and cannot read it."""
        key = self.cleaned_data.get("key")
        if key or self.cleaned_data.get("remove_key"):
            self.instance.sealed_key = ""
        return replace(self.instance.build_endpoint(), key=key) if key else self.instance.build_endpoint()
