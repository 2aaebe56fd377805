"""Providers from the environment, across several starts."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.upstreams.views.providers import SECRET, provider
from upstreams.catalogue.environment import demo_key, name_variables, sync_providers
from upstreams.models import ChatModel, Provider, ProviderSource
from upstreams.sealing import seal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def bare_environment(settings):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        setattr(settings, name, "")


@pytest.fixture
def start(settings):
    """Starts the site with the given variables."""

    def started(**set_variables):
        for name, value in set_variables.items():
            setattr(settings, name, value)
        sync_providers()

    return started


def named(protocol="anthropic"):
    return Provider.objects.get(source=ProviderSource.ENVIRONMENT, protocol=protocol)


def test_an_empty_environment_names_no_provider(start):
    start()
    assert not Provider.objects.filter(source=ProviderSource.ENVIRONMENT).exists()


def test_a_key_alone_names_the_vendor(start):
    start(ANTHROPIC_API_KEY=SECRET, OPENAI_API_KEY="sk-other")
    anthropic, openai = named(), named("openai")
    assert (anthropic.name, anthropic.base_url, anthropic.auth_header) == (
        "Anthropic",
        "https://api.anthropic.com",
        "x-api-key",
    )
    assert (openai.name, openai.base_url, openai.auth_header) == ("OpenAI", "https://api.openai.com/v1", "bearer")
    assert openai.max_tokens_field == "max_completion_tokens"
    assert (anthropic.build_endpoint().key, openai.build_endpoint().key) == (SECRET, "sk-other")


def test_an_address_alone_names_a_server_without_a_key(start):
    start(OPENAI_BASE_URL="http://localhost:11434/v1/")
    ollama = named("openai")
    assert (ollama.name, ollama.base_url) == ("OpenAI-compatible server", "http://localhost:11434/v1")
    assert (ollama.has_key, ollama.max_tokens_field) == (False, "max_tokens")


def test_another_server_gets_the_key_as_bearer(start):
    start(ANTHROPIC_API_KEY=SECRET, ANTHROPIC_BASE_URL="https://proxy.example/anthropic")
    assert (named().name, named().auth_header) == ("Anthropic-compatible server", "bearer")


def test_a_second_start_changes_nothing(start):
    start(ANTHROPIC_API_KEY=SECRET)
    before = Provider.objects.order_by("pk").values()
    before = list(before)
    start()
    assert list(Provider.objects.order_by("pk").values()) == before


def test_a_new_key_is_stored_and_the_models_are_listed_again(start):
    start(ANTHROPIC_API_KEY="old")
    Provider.objects.filter(pk=named().pk).update(listing_error="The key is wrong.", listed_at="2026-01-01T00:00Z")
    start(ANTHROPIC_API_KEY="new")
    assert (named().build_endpoint().key, named().listed_at, named().listing_error) == ("new", None, "")


def test_a_new_address_has_its_own_defaults(start):
    start(ANTHROPIC_API_KEY=SECRET)
    pk = named().pk
    start(ANTHROPIC_BASE_URL="http://proxy.example")
    assert (named().pk, named().name, named().auth_header) == (pk, "Anthropic-compatible server", "bearer")
    start(ANTHROPIC_BASE_URL="")
    assert (named().pk, named().name, named().auth_header) == (pk, "Anthropic", "x-api-key")


def test_settings_of_an_administrator_survive_a_start(start):
    start(ANTHROPIC_API_KEY=SECRET)
    Provider.objects.filter(pk=named().pk).update(name="Claude", auth_header="bearer", is_enabled=False)
    start(ANTHROPIC_BASE_URL="https://proxy.example")
    assert (named().name, named().auth_header, named().is_enabled) == ("Claude", "bearer", False)


def test_a_provider_removed_from_the_environment_is_disabled_and_loses_its_key(start):
    start(ANTHROPIC_API_KEY=SECRET)
    named().chat_models.create(model_id="m")
    start(ANTHROPIC_API_KEY="")
    assert (named().is_enabled, named().has_key, named().chat_models.count()) == (False, False, 1)


def test_a_provider_returns_with_its_settings(start):
    start(ANTHROPIC_API_KEY=SECRET)
    start(ANTHROPIC_API_KEY="")
    start(ANTHROPIC_API_KEY=SECRET)
    assert (named().is_enabled, named().build_endpoint().key) == (True, SECRET)


def test_a_provider_that_a_person_disabled_returns_disabled(start):
    start(ANTHROPIC_API_KEY=SECRET)
    Provider.objects.filter(pk=named().pk).update(is_enabled=False)
    start(ANTHROPIC_API_KEY="")
    start(ANTHROPIC_API_KEY=SECRET)
    assert not named().is_enabled


def test_a_persons_provider_keeps_its_name(start):
    provider(name="anthropic")
    start(ANTHROPIC_API_KEY=SECRET)
    assert named().name == "Anthropic (environment)"
    start(ANTHROPIC_API_KEY="sk-new")
    assert named().name == "Anthropic (environment)"


def test_an_error_names_the_variable_and_not_its_value(start):
    with pytest.raises(ImproperlyConfigured, match="OPENAI_BASE_URL") as refusal:
        start(OPENAI_BASE_URL="http://ada:secret@models.example")
    assert "secret" not in str(refusal.value)


def test_an_unreadable_key_is_sealed_again(start, settings):
    start(ANTHROPIC_API_KEY=SECRET)
    settings.SEALING_KEY = "another"
    assert not named().is_key_readable
    start()
    assert named().build_endpoint().key == SECRET


def test_variables_of_a_provider_are_named(start):
    start(ANTHROPIC_API_KEY=SECRET)
    assert name_variables(named()) == {"base_url": "", "key": "ANTHROPIC_API_KEY"}
    assert name_variables(provider()) == {}


def test_the_demo_always_exists_with_its_own_key(start, settings):
    start()
    demo = Provider.objects.get(source=ProviderSource.DEMO)
    assert (demo.base_url, demo.build_endpoint().key) == (settings.DEMO_UPSTREAM_URL, demo_key())
    assert [(model.model_id, model.name) for model in demo.chat_models.all()] == [("chatsite-demo", "Demo")]


def test_the_demo_follows_the_address_and_the_secret(start, settings):
    start()
    settings.DEMO_UPSTREAM_URL, settings.SECRET_KEY = "http://127.0.0.1:9/demo-upstream", "changed"
    start()
    demo = Provider.objects.get(source=ProviderSource.DEMO)
    assert (demo.base_url, demo.build_endpoint().key) == ("http://127.0.0.1:9/demo-upstream", demo_key())
    assert demo.sealed_key != seal("") and ChatModel.objects.count() == 1
