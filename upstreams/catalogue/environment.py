"""The providers that an installation has by itself: those the environment names, and the demo."""

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
    """Whom a pair of variables, NAME_API_KEY and NAME_BASE_URL, stands for."""

    name: str
    compatible: str
    protocol: Protocol
    base_url: str
    own_settings: dict[str, Any]
    """What the vendor's own server wants that other servers of its protocol may not know."""

    def is_at(self, base_url: str) -> bool:
        return addresses.same_origin(base_url, self.base_url)

    def defaults(self, base_url: str) -> dict[str, Any]:
        """What a provider at this address starts with, until an administrator says otherwise."""
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
    """Brings the installation's own providers in step with its settings; for every start. Asks no network."""
    for prefix, vendor in VENDORS.items():
        key, base_url = getattr(settings, f"{prefix}_API_KEY"), getattr(settings, f"{prefix}_BASE_URL")
        if key or base_url:
            _keep_in_step(prefix, vendor, key, base_url)
        else:
            _withdraw(vendor)
    _keep_demo()


def variables(provider: Provider) -> dict[str, str]:
    """For people: which variable says what of a provider; the address may be the vendor's own and set by none."""
    for prefix, vendor in VENDORS.items():
        if provider.source == ProviderSource.ENVIRONMENT and provider.protocol == vendor.protocol:
            base_url, key = getattr(settings, f"{prefix}_BASE_URL"), getattr(settings, f"{prefix}_API_KEY")
            return {"base_url": f"{prefix}_BASE_URL" if base_url else "", "key": f"{prefix}_API_KEY" if key else ""}
    return {}


def is_named(provider: Provider) -> bool:
    """Whether the environment names the provider now, so that it would be back at the next start."""
    return any(variables(provider).values())


def demo_key() -> str:
    """What the demo upstream asks for, so that nobody else uses it from outside."""
    return salted_hmac("upstreams.environment.demo", "key", algorithm="sha256").hexdigest()


def _keep_in_step(prefix: str, vendor: Vendor, key: str, base_url: str) -> None:
    base_url = addresses.tidied(base_url or vendor.base_url)
    if fault := addresses.fault(base_url):
        raise ImproperlyConfigured(f"{prefix}_BASE_URL: {fault}")
    provider, is_new = Provider.objects.get_or_create(
        source=ProviderSource.ENVIRONMENT,
        protocol=vendor.protocol,
        defaults={**vendor.defaults(base_url), "base_url": base_url, "name": _free_name(vendor, base_url, 0)},
    )
    if provider.base_url != base_url:
        _move(provider, vendor, base_url)
    if is_new or _key_of(provider) != key.strip():
        provider.set_key(key)
        provider.forget_listing()
    if provider.is_withdrawn:
        provider.is_withdrawn, provider.is_enabled = False, True
        provider.forget_listing()
    provider.save()


def _move(provider: Provider, vendor: Vendor, base_url: str) -> None:
    """Another server: what still was the old one's default becomes the new one's; a person's own settings stay."""
    new = {**vendor.defaults(base_url), "name": _free_name(vendor, base_url, provider.pk)}
    old = {**vendor.defaults(provider.base_url), "name": _free_name(vendor, provider.base_url, provider.pk)}
    for field, value in new.items():
        if getattr(provider, field) == old[field]:
            setattr(provider, field, value)
    provider.base_url = base_url
    provider.forget_listing()


def _withdraw(vendor: Vendor) -> None:
    """The variables are gone: so is the key. Models and their settings wait for a return."""
    ours = Provider.objects.filter(source=ProviderSource.ENVIRONMENT, protocol=vendor.protocol)
    ours.filter(is_enabled=True).update(is_enabled=False, is_withdrawn=True)
    ours.exclude(sealed_key="").update(sealed_key="")


def _keep_demo() -> None:
    demo, _ = Provider.objects.get_or_create(
        source=ProviderSource.DEMO,
        protocol=Protocol.ANTHROPIC,
        defaults={"name": _unused("Demo", 0), "base_url": settings.DEMO_UPSTREAM_URL},
    )
    if demo.base_url != settings.DEMO_UPSTREAM_URL or _key_of(demo) != demo_key():
        demo.base_url = settings.DEMO_UPSTREAM_URL
        demo.set_key(demo_key())
        demo.save()
    limits = {"context_window": 200_000, "max_output_tokens": 8192}
    about = {"name": "Demo", "supports_thinking": True, "thinks_adaptively": True, **limits}
    demo.chat_models.get_or_create(model_id=MODEL, defaults=about)


def _key_of(provider: Provider) -> str | None:
    """None when it cannot be read: the key is then sealed anew with the SEALING_KEY of now."""
    try:
        return unseal(provider.sealed_key)
    except SealBroken:
        return None


def _free_name(vendor: Vendor, base_url: str, pk: int) -> str:
    return _unused(vendor.defaults(base_url)["name"], pk)


def _unused(name: str, pk: int) -> str:
    """The name itself, or with a number where a provider other than `pk` has it."""
    name, tries = name[:70], [name[:70], f"{name[:70]} (environment)"]
    tries += [f"{name} ({number})" for number in range(2, 1000)]
    taken = {each.lower() for each in Provider.objects.exclude(pk=pk).values_list("name", flat=True)}
    return next(each for each in tries if each.lower() not in taken)
