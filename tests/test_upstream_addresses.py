"""Only people who may change providers see where models and tools come from."""

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from conversations.models import Generation, State
from ledger.booking import entries
from ledger.booking.entries import Caller, CallSource
from ledger.models import Entry
from tests.audiences import ALL_ROUTES
from tests.places import address_in, make_place
from tools.models import ToolServer
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)

type SignedIn = Callable[[User], Client]

HOST = "zqhost.zqdomain.internal"
WORDS = (
    f"Cannot connect to {HOST}:8123 ('10.20.30.40', 8123), see http://zqhost/zqpath, "
    "/srv/zqfolder/zq.gguf, subject: CN=zqsubject"
)
SECRETS = ("zqhost", "zqdomain", "zqpath", "zqfolder", "zqsubject", ":8123", " 8123", "10.20.30.40")


@pytest.fixture
def place(ada: User, ben: User) -> SimpleNamespace:
    """A conversation with a failed answer, of a provider and a tool server that failed too."""
    place = make_place(ada, ben)
    Provider.objects.update(base_url=f"http://{HOST}:8123/zqpath", listing_error=WORDS)
    ToolServer.objects.update(url=f"http://{HOST}:8123/zqpath/mcp", check_error=WORDS, check_note=WORDS)
    ChatModel.objects.update(model_id="/srv/zqfolder/small.gguf", name="")
    ChatModel.objects.get().save()
    failed = {"error_kind": "invalid_request", "error_message": "Testing failed.", "error_detail": WORDS}
    Generation.objects.update(state=State.FAILED, **failed)
    return place


def pages(browser: Client, place: SimpleNamespace, person: User) -> dict[str, str]:
    """The source of every page that the person can read, by its route."""
    sources = {}
    for route in sorted(ALL_ROUTES - {"accounts/logout/", "admin/logout/"}):
        answer = browser.get(address_in(place, route, person))
        if not answer.streaming:
            sources[route] = f"{answer.headers} {answer.content.decode(errors='replace')}"
    return sources


def test_a_member_finds_no_address_in_any_page(place: SimpleNamespace, ada: User, browser_of: SignedIn) -> None:
    sources = pages(browser_of(ada), place, ada)
    for route, source in sources.items():
        assert not [secret for secret in SECRETS if secret in source], route
    assert "Cannot connect to …" in sources["conversations/<int:pk>/"]


def test_staff_without_permission_for_providers_find_no_address(
    place: SimpleNamespace, mallory: User, browser_of: SignedIn
) -> None:
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(Permission.objects.exclude(content_type__app_label="upstreams"))
    browser: Client = browser_of(mallory)
    for route, source in pages(browser, place, mallory).items():
        assert not [secret for secret in SECRETS if secret in source], route
    generations = "/admin/conversations/generation/"
    detail = browser.get(f"{generations}{place.generation.pk}/change/").text
    assert "Cannot connect to …" in detail
    for query in ({"error_detail__contains": "zqhost"}, {"q": "zqhost"}, {"error_detail__startswith": "Cannot"}):
        found = browser.get(generations, query, follow=True)
        assert found.status_code == 400 or f"/{place.generation.pk}/change/" not in found.text, query


def test_administrators_find_the_words_of_upstreams(place: SimpleNamespace, root: User, browser_of: SignedIn) -> None:
    browser: Client = browser_of(root)
    generations = "/admin/conversations/generation/"
    assert HOST in browser.get(f"{generations}{place.generation.pk}/change/").text
    for query in ({"error_detail__contains": "zqhost"}, {"q": "zqhost"}):
        assert f"/{place.generation.pk}/change/" in browser.get(generations, query).text
    assert HOST in browser.get(f"/settings/providers/{place.provider.pk}/").text


MIGRATIONS = {
    "upstreams": import_module("upstreams.migrations.0007_names_without_addresses"),
    "ledger": import_module("ledger.migrations.0006_provider_names_without_addresses"),
    "conversations": import_module("conversations.migrations.0013_provider_names_without_addresses"),
}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("OpenAI-compatible (localhost:11434)", "OpenAI-compatible server"),
        ("Anthropic-compatible (proxy.example)", "Anthropic-compatible server"),
        ("OpenAI-compatible ([::1]:8080)", "OpenAI-compatible server"),
        ("OpenAI-compatible (10.0.0.7) (environment)", "OpenAI-compatible server (environment)"),
        ("OpenAI-compatible (vllm:8000) (2)", "OpenAI-compatible server (2)"),
        ("OpenAI-compatible (fast)", "OpenAI-compatible (fast)"),
        ("Our own", "Our own"),
    ],
)
def test_default_names_made_so_far_lose_their_address(ada: User, before: str, after: str) -> None:
    place, path = make_place(ada, User.objects.create_user("ben")), "/srv/m/small.gguf"
    Provider.objects.update(name=before, source="environment")
    ChatModel.objects.update(
        model_id="/srv/m/small.gguf", name="/srv/m/small.gguf", as_listed={"name": "/srv/m/small.gguf"}
    )
    model = ChatModel.objects.select_related("provider").get()
    entries.begin(Caller(ada, CallSource.CONVERSATION, "1"), model, prompt_tokens=1, max_tokens=1)
    names = {"provider_name": before, "model_name": path}
    Generation.objects.update(**names, error_message=f"Could not reach {before}.")
    Entry.objects.update(**names)
    for migration in MIGRATIONS.values():
        for _ in range(2):
            migration.rename(apps, None)
    model = ChatModel.objects.select_related("provider").get()
    assert (model.provider.name, model.name, model.as_listed) == (after, "small", {"name": "small"})
    assert model.model_id == path, "the server knows the model by it"
    for row in (Generation.objects.get(pk=place.generation.pk), Entry.objects.get()):
        assert (row.provider_name, row.model_name) == (after, "small")
    assert Generation.objects.get().error_message == f"Could not reach {after}."


def test_a_new_default_name_does_not_collide(db: None) -> None:
    Provider.objects.create(name="openai-compatible server", protocol="openai", base_url="http://a.example")
    old = Provider.objects.create(
        name="OpenAI-compatible (b.example)", protocol="openai", base_url="http://b.example", source="environment"
    )
    MIGRATIONS["upstreams"].rename(apps, None)
    old.refresh_from_db()
    assert old.name == "OpenAI-compatible server (2)"
