"""The models that people may choose, the default, and updates from a server's list."""

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction

from tests.fakes import ModelServer
from tests.steps import Answer
from tests.upstreams.views.providers import SECRET, listed, model_of, provider, provider_at
from upstreams.catalogue import listing
from upstreams.catalogue.environment import sync_providers
from upstreams.catalogue.listing import refresh, refresh_unlisted
from upstreams.client import close_transport
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = Answer([b'{"error": {"message": "bad key", "type": "authentication_error"}}'], 401)


@pytest.fixture
def server():
    with ModelServer("openai") as running:
        yield running


@pytest.fixture(autouse=True)
async def closed_connections():
    yield
    await close_transport()


@sync_to_async
def shown(made):
    return {model.model_id: model for model in made.chat_models.all()}


def test_only_enabled_models_of_enabled_providers_are_offered():
    house = provider()
    model_of(house, "on")
    model_of(house, "off", is_enabled=False)
    model_of(provider(name="Off", is_enabled=False), "elsewhere")
    assert [model.model_id for model in ChatModel.objects.offered()] == ["on"]


def test_the_demo_is_offered_until_there_is_another_model():
    sync_providers()
    assert [model.name for model in ChatModel.objects.offered()] == ["Demo"]
    small = model_of(provider())
    assert list(ChatModel.objects.offered()) == [small]
    small.set_offered(False)
    assert [model.name for model in ChatModel.objects.offered()] == ["Demo"]


def test_without_offered_models_there_is_no_default():
    assert ChatModel.objects.default() is None


def test_the_only_default_comes_first():
    house = provider()
    first, second = model_of(house, "a"), model_of(house, "b")
    assert ChatModel.objects.default() == first
    second.make_default()
    first.make_default()
    second.refresh_from_db()
    assert (ChatModel.objects.default(), second.is_default) == (first, False)
    with pytest.raises(IntegrityError), transaction.atomic():
        ChatModel.objects.update(is_default=True)


def test_a_default_is_offered_and_a_withdrawn_model_is_not_the_default():
    small = model_of(provider(), is_enabled=False)
    small.make_default()
    assert small.is_enabled
    small.set_offered(False)
    assert not small.is_default


async def test_listed_models_are_stored_with_their_properties(server):
    server.models = listed("big", max_model_len=131072, display_name="Big one")
    house = await sync_to_async(provider_at)(server)
    await refresh(house)
    big = (await shown(house))["big"]
    assert (big.name, big.context_window, big.is_enabled, big.is_listed) == ("Big one", 131072, True, True)
    assert server.requests[-1].headers["authorization"] == f"Bearer {SECRET}"
    house = await Provider.objects.aget()
    assert (house.listing_error, house.listed_at is not None) == ("", True)


async def test_a_vanished_model_is_marked_and_kept(server):
    house = await sync_to_async(provider_at)(server)
    server.models = listed("a", "b")
    await refresh(house)
    server.models = listed("b")
    await refresh(house)
    models = await shown(house)
    assert (models["a"].is_gone, models["a"].is_enabled, models["b"].is_gone) == (True, True, False)
    server.models = listed("a", "b")
    await refresh(house)
    assert not (await shown(house))["a"].is_gone


async def test_a_listing_does_not_overwrite_settings_of_an_administrator(server):
    house = await sync_to_async(provider_at)(server)
    server.models = listed("a", "b", max_model_len=1000)
    await refresh(house)
    await house.chat_models.filter(model_id="a").aupdate(name="Mine", context_window=500, input_price=3)
    server.models = listed("a", "b", max_model_len=2000)
    await refresh(house)
    models = await shown(house)
    assert (models["a"].name, models["a"].context_window, models["a"].input_price) == ("Mine", 500, 3)
    assert models["b"].context_window == 2000


async def test_a_listing_does_not_change_a_model_added_by_hand(server):
    house = await sync_to_async(provider_at)(server)
    await sync_to_async(model_of)(house, "hidden", is_listed=False, is_enabled=False)
    await refresh(house)
    hidden = (await shown(house))["hidden"]
    assert (hidden.is_listed, hidden.is_gone, hidden.is_enabled) == (False, False, False)


async def test_a_large_catalogue_offers_one_model_at_first(server):
    house = await sync_to_async(provider_at)(server)
    server.models = listed("text-embedding", *(f"model-{number}" for number in range(30)))
    await refresh(house)
    assert [name for name, model in (await shown(house)).items() if model.is_enabled] == ["model-0"]


async def test_models_that_cannot_chat_are_listed_but_not_offered(server):
    house = await sync_to_async(provider_at)(server)
    server.models = listed("llama", "nomic-embed-text")
    await refresh(house)
    assert [name for name, model in (await shown(house)).items() if model.is_enabled] == ["llama"]


async def test_figures_too_large_for_the_database_are_left_out(server):
    house = await sync_to_async(provider_at)(server)
    server.models = [*listed("a", max_model_len=2**40), *listed("x" * 300)]
    await refresh(house)
    assert [(name, model.context_window) for name, model in (await shown(house)).items()] == [("a", None)]


async def test_a_failed_listing_is_explained_and_the_models_stay(server):
    house = await sync_to_async(provider_at)(server)
    await refresh(house)
    server.listing = REFUSED
    await refresh(house)
    stored = await Provider.objects.aget()
    assert stored.listing_error == "House rejected the API key."
    assert await stored.chat_models.filter(is_listed=True).aexists()


async def test_an_unreadable_key_is_explained(server, settings):
    house = await sync_to_async(provider_at)(server)
    settings.SEALING_KEY = "another"
    await refresh(house)
    assert "Enter it again" in (await Provider.objects.aget()).listing_error
    assert not server.requests


async def test_an_answer_from_the_former_address_is_dropped(server):
    house = await sync_to_async(provider_at)(server)
    await Provider.objects.aupdate(base_url="http://elsewhere.example/v1")
    await refresh(house)
    stored = await Provider.objects.aget()
    assert (stored.listed_at, await stored.chat_models.aexists()) == (None, False)


async def test_a_listing_does_not_restore_a_deleted_provider(server):
    house = await sync_to_async(provider_at)(server)
    await Provider.objects.all().adelete()
    await refresh(house)
    assert not await ChatModel.objects.aexists()


async def test_a_start_lists_new_providers_and_retries_failures(server, monkeypatch):
    monkeypatch.setattr(listing, "WAITS", (0.0, 0.0))
    await sync_to_async(sync_providers)()
    house = await sync_to_async(provider_at)(server)
    await sync_to_async(provider_at)(server, name="Off", is_enabled=False)
    server.listing = REFUSED
    await refresh_unlisted.func()
    assert len(server.requests) == 2
    server.listing = None
    await refresh_unlisted.func()
    await refresh_unlisted.func()
    assert len(server.requests) == 3
    assert list(await shown(house)) == ["test-model"]


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("/srv/models/small-7b.Q4.gguf", "small-7b.Q4"),
        ("../models/small.gguf", "small"),
        ("C:\\models\\small.gguf", "small"),
        ("~/small/", "small"),
        ("org/small-3.1:8b", "org/small-3.1:8b"),
        ("small.gguf", "small.gguf"),
    ],
)
def test_a_model_named_by_the_path_of_its_file_is_shown_without_folders(model_id, name):
    assert model_of(provider(), model_id).name == name


async def test_a_listing_of_paths_is_shown_without_folders(server):
    made = await sync_to_async(provider_at)(server)
    server.models = listed("/srv/models/small.gguf")
    await refresh(made)
    [model] = (await shown(made)).values()
    assert (model.model_id, model.name) == ("/srv/models/small.gguf", "small")


async def test_only_advice_is_left_out_for_administrators(server):
    """The name of a provider may look like the beginning of the advice."""
    made = await sync_to_async(provider_at)(server, name="Ada. An administrator")
    server.listing = REFUSED
    await refresh(made)
    assert made.listing_error == "Ada. An administrator rejected the API key."
