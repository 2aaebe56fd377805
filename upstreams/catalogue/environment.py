"""Providers that come with the installation: those named in the environment, and the demo."""

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.crypto import salted_hmac

from upstreams import addresses
from upstreams.demo.server import MODEL
from upstreams.models import KeyHeader, Protocol, Provider, ProviderSource
from upstreams.sealing import SealBroken, unseal


@dataclass(frozen=True, slots=True)
class Vendor:
    """The vendor behind a pair of variables, NAME_API_KEY and NAME_BASE_URL."""

    name: str
    compatible: str
    protocol: Protocol
    base_url: str
    own_settings: dict[str, Any]
    """Settings for the vendor's own server, which other servers of its protocol may not support."""

    def is_at(self, base_url: str) -> bool:
        return addresses.have_same_origin(base_url, self.base_url)

    def defaults(self, base_url: str) -> dict[str, Any]:
        """The initial settings of a provider at this address. Administrators can change them."""
        if self.is_at(base_url):
            return {"name": self.name, **self.own_settings}
        usual = Provider()
        others = {field: getattr(usual, field) for field in self.own_settings}
        return {"name": f"{self.compatible} server", **others}


VENDORS: Final = {
    "ANTHROPIC": Vendor(
        name="Anthropic",
        compatible="Anthropic-compatible",
        protocol=Protocol.ANTHROPIC,
        base_url="https://api.anthropic.com",
        own_settings={"auth_header": KeyHeader.X_API_KEY},
    ),
    "OPENAI": Vendor(
        name="OpenAI",
        compatible="OpenAI-compatible",
        protocol=Protocol.OPENAI,
        base_url="https://api.openai.com/v1",
        own_settings={"max_tokens_field": "max_completion_tokens", "reasoning_effort": True},
    ),
}


@transaction.atomic
def sync_providers() -> None:
    """Updates the installation's own providers from its settings. Run it at every start. Needs no network."""
    for prefix, vendor in VENDORS.items():
        key, base_url = getattr(settings, f"{prefix}_API_KEY"), getattr(settings, f"{prefix}_BASE_URL")
        if key or base_url:
            _sync_vendor(prefix, vendor, key, base_url)
        else:
            _withdraw(vendor)
    _sync_demo()


def name_variables(provider: Provider) -> dict[str, str]:
    """The variables that set a provider's address and key, for people; "" for what no variable sets."""
    for prefix, vendor in VENDORS.items():
        if provider.source == ProviderSource.ENVIRONMENT and provider.protocol == vendor.protocol:
            base_url, key = getattr(settings, f"{prefix}_BASE_URL"), getattr(settings, f"{prefix}_API_KEY")
            return {"base_url": f"{prefix}_BASE_URL" if base_url else "", "key": f"{prefix}_API_KEY" if key else ""}
    return {}


def is_named(provider: Provider) -> bool:
    """Whether the environment names the provider now. If so, the next start would restore it."""
    return any(name_variables(provider).values())


def demo_key() -> str:
    """The key of the demo upstream, which keeps others from using it from outside."""
    return salted_hmac("upstreams.environment.demo", "key", algorithm="sha256").hexdigest()


def _sync_vendor(prefix: str, vendor: Vendor, key: str, base_url: str) -> None:
    base_url = addresses.normalize(base_url or vendor.base_url)
    if fault := addresses.find_fault(base_url):
        raise ImproperlyConfigured(f"{prefix}_BASE_URL: {fault}")
    provider, is_new = Provider.objects.get_or_create(
        source=ProviderSource.ENVIRONMENT,
        protocol=vendor.protocol,
        defaults={**vendor.defaults(base_url), "base_url": base_url, "name": _default_name(vendor, base_url, 0)},
    )
    if provider.base_url != base_url:
        _move(provider, vendor, base_url)
    if is_new or _read_key(provider) != key.strip():
        provider.set_key(key)
        provider.forget_listing()
    if provider.is_withdrawn:
        provider.is_withdrawn, provider.is_enabled = False, True
        provider.forget_listing()
    provider.save()


def _move(provider: Provider, vendor: Vendor, base_url: str) -> None:
    """Moves the provider to another server. Settings that are defaults of the old one become those of the new one."""
    new = {**vendor.defaults(base_url), "name": _default_name(vendor, base_url, provider.pk)}
    old = {**vendor.defaults(provider.base_url), "name": _default_name(vendor, provider.base_url, provider.pk)}
    for field, value in new.items():
        if getattr(provider, field) == old[field]:
            setattr(provider, field, value)
    provider.base_url = base_url
    provider.forget_listing()


def _withdraw(vendor: Vendor) -> None:
    """Disables the provider and removes its key. Its models and settings stay in case the variables return."""
    ours = Provider.objects.filter(source=ProviderSource.ENVIRONMENT, protocol=vendor.protocol)
    ours.filter(is_enabled=True).update(is_enabled=False, is_withdrawn=True)
    ours.exclude(sealed_key="").update(sealed_key="")


def _sync_demo() -> None:
    demo, _ = Provider.objects.get_or_create(
        source=ProviderSource.DEMO,
        protocol=Protocol.ANTHROPIC,
        defaults={"name": _make_unique("Demo", 0), "base_url": settings.DEMO_UPSTREAM_URL},
    )
    if demo.base_url != settings.DEMO_UPSTREAM_URL or _read_key(demo) != demo_key():
        demo.base_url = settings.DEMO_UPSTREAM_URL
        demo.set_key(demo_key())
        demo.save()
    limits = {"context_window": 200_000, "max_output_tokens": 8192}
    about = {"name": "Demo", "supports_thinking": True, "thinks_adaptively": True, **limits}
    demo.chat_models.get_or_create(model_id=MODEL, defaults=about)


def _read_key(provider: Provider) -> str | None:
    """None if the key cannot be read. It is then sealed again with the current SEALING_KEY."""
    try:
        return unseal(provider.sealed_key)
    except SealBroken:
        return None


def _default_name(vendor: Vendor, base_url: str, pk: int) -> str:
    return _make_unique(vendor.defaults(base_url)["name"], pk)


def _make_unique(name: str, pk: int) -> str:
    """The name, with a suffix if a provider other than `pk` has it."""
    name, tries = name[:70], [name[:70], f"{name[:70]} (environment)"]
    tries += [f"{name} ({number})" for number in range(2, 1000)]
    taken = {each.lower() for each in Provider.objects.exclude(pk=pk).values_list("name", flat=True)}
    return next(each for each in tries if each.lower() not in taken)
