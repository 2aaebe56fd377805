"""The provider pages, for administrators only."""

import pytest
from django.urls import reverse

from tests.upstreams.views.providers import FIELDS, SECRET, model_of, provider
from upstreams.catalogue.environment import sync_providers
from upstreams.models import ChatModel, Provider, ProviderSource

pytestmark = pytest.mark.django_db

PAGES = ["providers", "provider_add", "provider", "provider_edit", "provider_delete", "chat_models", "chat_model_add"]
ACTIONS = ["provider_enabling", "provider_trial", "provider_trial_of_form", "provider_listing", "chat_models_enabling"]
ACTIONS_ON_MODELS = ["chat_model_enabling", "chat_model_default", "chat_model_delete"]


@pytest.fixture
def admin(root, browser_of):
    return browser_of(root)


@pytest.fixture
def house():
    return provider()


def at(name, *args):
    return reverse(name, args=args)


def address(name, house, small):
    if name in ("providers", "provider_add"):
        return at(name)
    return at(name, small.pk if name.startswith("chat_model_") and name != "chat_model_add" else house.pk)


@pytest.mark.parametrize("name", [*PAGES, *ACTIONS, *ACTIONS_ON_MODELS])
def test_only_administrators_have_access(name, house, ada, browser_of, client):
    small = model_of(house, is_listed=False)
    for method in ("get", "post"):
        assert getattr(browser_of(ada), method)(address(name, house, small), FIELDS).status_code == 403
        assert getattr(client, method)(address(name, house, small), FIELDS).status_code in (302, 403)
    assert Provider.objects.get() == house and ChatModel.objects.get() == small


@pytest.mark.parametrize("name", PAGES)
def test_administrators_have_access(name, house, admin):
    answer = admin.get(address(name, house, model_of(house)))
    assert answer.status_code == 200
    assert SECRET not in answer.text


@pytest.mark.parametrize("name", [*ACTIONS, *ACTIONS_ON_MODELS])
def test_reading_a_page_changes_nothing(name, house, admin):
    assert admin.get(address(name, house, model_of(house))).status_code == 405


def test_the_permission_is_enough(house, ben, browser_of):
    from django.contrib.auth.models import Permission

    ben.user_permissions.add(Permission.objects.get(codename="change_provider"))
    assert browser_of(ben).get(at("providers")).status_code == 200


def test_an_empty_list_explains_how_to_start(admin):
    sync_providers()
    page = admin.get(at("providers")).text
    assert "Connect a model server" in page
    for slug in ("anthropic", "openai", "ollama", "llama-cpp", "vllm", "litellm"):
        assert f"?preset={slug}" in page


def test_a_preset_fills_the_form(admin):
    page = admin.get(at("provider_add"), {"preset": "ollama"}).text
    assert 'value="http://localhost:11434/v1"' in page and 'value="Ollama"' in page


def test_a_provider_is_added_with_its_key_sealed(admin):
    answer = admin.post(at("provider_add"), {**FIELDS, "base_url": "http://ollama:11434/v1/", "key": f" {SECRET} "})
    made = Provider.objects.get()
    assert answer["Location"] == at("provider", made.pk)
    assert (made.base_url, made.build_endpoint().key, made.source) == (
        "http://ollama:11434/v1",
        SECRET,
        ProviderSource.PERSON,
    )
    assert SECRET not in made.sealed_key
    for page in ("providers", "provider", "provider_edit"):
        assert SECRET not in admin.get(address(page, made, None)).text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "This field is required."),
        ("name", "hOUSE", "Another provider already has this name."),
        ("base_url", "ftp://models.example", "The address must start with https://"),
        ("base_url", "http://ada:pw@models.example", "Enter the key in its own field"),
        ("base_url", "http://models.example/v1?x=1", "Remove everything"),
        ("key", "two words", "A key can only contain"),
        ("key", "schlüssel", "A key can only contain"),
        ("first_byte_timeout", "0", "greater than or equal to 1"),
        ("protocol", "gopher", "Select a valid choice"),
    ],
)
def test_errors_are_shown_at_their_fields_and_nothing_is_stored(field, value, words, house, admin):
    answer = admin.post(at("provider_add"), {**FIELDS, "name": "New", "key": SECRET, field: value})
    assert answer.status_code == 422
    assert words in str(answer.context["form"].errors[field])
    assert Provider.objects.count() == 1
    assert SECRET not in answer.text


def test_an_empty_key_field_keeps_the_key(house, admin):
    admin.post(at("provider_edit", house.pk), {**FIELDS, "name": "Renamed"})
    house.refresh_from_db()
    assert (house.name, house.build_endpoint().key) == ("Renamed", SECRET)


def test_a_key_can_be_replaced_and_removed(house, admin):
    admin.post(at("provider_edit", house.pk), {**FIELDS, "key": "sk-new"})
    house.refresh_from_db()
    assert house.build_endpoint().key == "sk-new"
    admin.post(at("provider_edit", house.pk), {**FIELDS, "remove_key": "on"})
    house.refresh_from_db()
    assert not house.has_key


@pytest.mark.parametrize(
    "elsewhere", ["https://models.example/v1", "http://models.example:81/v1", "http://models.example.evil.example/v1"]
)
def test_a_stored_key_does_not_follow_to_another_server(elsewhere, house, admin):
    answer = admin.post(at("provider_edit", house.pk), {**FIELDS, "base_url": elsewhere})
    assert answer.status_code == 422
    assert "another server" in answer.text
    house.refresh_from_db()
    assert house.base_url == "http://models.example/v1"


def test_another_server_needs_its_own_key_or_none(house, admin):
    admin.post(at("provider_edit", house.pk), {**FIELDS, "base_url": "http://other.example/v1", "key": "sk-other"})
    house.refresh_from_db()
    assert (house.base_url, house.build_endpoint().key) == ("http://other.example/v1", "sk-other")
    admin.post(at("provider_edit", house.pk), {**FIELDS, "base_url": "http://third.example/v1", "remove_key": "on"})
    house.refresh_from_db()
    assert (house.base_url, house.has_key) == ("http://third.example/v1", False)


def test_another_path_of_the_same_server_keeps_the_key(house, admin):
    admin.post(at("provider_edit", house.pk), {**FIELDS, "base_url": "http://models.example:80/openai/v1"})
    house.refresh_from_db()
    assert (house.base_url, house.build_endpoint().key) == ("http://models.example:80/openai/v1", SECRET)


def test_a_changed_server_is_listed_again(house, admin):
    Provider.objects.update(listed_at="2026-01-01T00:00Z", listing_error="old")
    admin.post(at("provider_edit", house.pk), {**FIELDS, "name": "Only renamed"})
    house.refresh_from_db()
    assert house.listing_error == "old"
    admin.post(at("provider_edit", house.pk), {**FIELDS, "key": "sk-new"})
    house.refresh_from_db()
    assert (house.listed_at, house.listing_error) == (None, "")


def test_an_unreadable_key_is_explained_on_the_page(house, admin, settings):
    settings.SEALING_KEY = "another"
    assert "unreadable" in admin.get(at("providers")).text
    assert "sealed with another SEALING_KEY" in admin.get(at("provider", house.pk)).text
    admin.post(at("provider_edit", house.pk), {**FIELDS, "key": "sk-new"})
    house.refresh_from_db()
    assert house.build_endpoint().key == "sk-new"


def test_a_doubtful_address_is_saved_with_a_warning(admin):
    fields = {**FIELDS, "protocol": "anthropic", "base_url": "http://models.example/v1"}
    answer = admin.post(at("provider_add"), fields, follow=True)
    assert "do not end in /v1" in answer.text


def test_settings_of_the_environment_are_shown_and_cannot_be_changed(admin, settings):
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = SECRET, "https://proxy.example"
    sync_providers()
    named = Provider.objects.get(source=ProviderSource.ENVIRONMENT, protocol="anthropic")
    page = admin.get(at("provider_edit", named.pk)).text
    assert "set by ANTHROPIC_BASE_URL" in page and "Set by ANTHROPIC_API_KEY" in page
    admin.post(
        at("provider_edit", named.pk), {**FIELDS, "name": "Claude", "key": "x", "base_url": "http://evil.example"}
    )
    named.refresh_from_db()
    assert (named.name, named.base_url, named.build_endpoint().key) == ("Claude", "https://proxy.example", SECRET)
    assert admin.post(at("provider_delete", named.pk)).status_code == 403


def test_a_provider_removed_from_the_environment_can_be_deleted_but_not_enabled(admin, settings):
    settings.ANTHROPIC_API_KEY = SECRET
    sync_providers()
    settings.ANTHROPIC_API_KEY = ""
    sync_providers()
    named = Provider.objects.get(source=ProviderSource.ENVIRONMENT, protocol="anthropic")
    assert "no longer defines this provider" in admin.get(at("provider", named.pk)).text
    assert admin.post(at("provider_enabling", named.pk), {"enabled": "on"}).status_code == 403
    assert admin.post(at("provider_delete", named.pk)).status_code == 302


def test_the_demo_can_be_disabled_but_neither_edited_nor_deleted(admin):
    sync_providers()
    demo = Provider.objects.get(source=ProviderSource.DEMO)
    assert admin.get(at("provider", demo.pk)).status_code == 200
    assert admin.get(at("provider_edit", demo.pk)).status_code == 404
    assert admin.post(at("provider_delete", demo.pk)).status_code == 403
    admin.post(at("provider_enabling", demo.pk), {"enabled": "off"})
    assert ChatModel.objects.default() is None


def test_a_provider_can_be_disabled_and_enabled(house, admin):
    model_of(house)
    admin.post(at("provider_enabling", house.pk), {"enabled": "off"})
    assert not ChatModel.objects.offered()
    admin.post(at("provider_enabling", house.pk), {"enabled": "on"})
    assert ChatModel.objects.offered()


def test_deletion_needs_confirmation(house, admin):
    assert "You cannot undo this" in admin.get(at("provider_delete", house.pk)).text
    assert Provider.objects.exists()
    admin.post(at("provider_delete", house.pk))
    assert not Provider.objects.exists()


def test_names_are_escaped(admin):
    admin.post(at("provider_add"), {**FIELDS, "name": "<script>alert(1)</script>"})
    assert "<script>alert" not in admin.get(at("providers")).text


def test_djangos_admin_shows_no_key(house, admin):
    for page in ("admin:upstreams_provider_changelist", "admin:upstreams_chatmodel_changelist"):
        assert admin.get(reverse(page)).status_code == 200
    page = admin.get(at("admin:upstreams_provider_change", house.pk)).text
    assert SECRET not in page and house.sealed_key not in page
