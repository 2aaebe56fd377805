"""Connection tests and listings of models from the pages, with a real server."""

import pytest
from django.test import AsyncClient
from django.urls import reverse

from tests.fakes import ModelServer
from tests.steps import Answer
from tests.upstreams.views.providers import FIELDS, SECRET, provider_at
from upstreams.client import close_transport
from upstreams.models import Provider

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}
REFUSED = Answer([b'{"error": {"message": "bad key", "type": "authentication_error"}}'], 401)


@pytest.fixture
def server():
    with ModelServer("openai") as running:
        yield running


@pytest.fixture
async def admin(root):
    client = AsyncClient()
    await client.aforce_login(root)
    yield client
    await close_transport()


@pytest.fixture
def house(server, root):
    return provider_at(server)


def at(name, *args):
    return reverse(name, args=args)


def fields(server, **changes):
    return {**FIELDS, "base_url": server.url, **changes}


async def test_a_working_connection_is_reported(server, house, admin):
    report = (await admin.post(at("provider_trial", house.pk), headers=HTMX)).text
    assert "House responds and offers 1 model." in report
    assert server.requests[-1].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in report


async def test_a_warning_about_the_address_is_shown_once(server, house, admin):
    await Provider.objects.aupdate(base_url=server.url.removesuffix("/v1"))
    server.listing = REFUSED
    page = (await admin.post(at("provider_trial", house.pk))).text
    assert page.count("usually end in /v1") == 1
    assert "usually end in /v1" not in (await admin.post(at("provider_trial", house.pk), headers=HTMX)).text


async def test_values_can_be_tested_before_they_are_saved(server, admin):
    report = (await admin.post(at("provider_trial_of_new"), fields(server, name="", key="sk-new"), headers=HTMX)).text
    assert "The server responds and offers 1 model." in report
    assert server.requests[-1].headers["authorization"] == "Bearer sk-new"
    assert not await Provider.objects.aexists()


async def test_without_scripts_the_form_comes_back_without_its_key(server, admin):
    page = (await admin.post(at("provider_trial_of_new"), fields(server, key="sk-new"))).text
    assert "House responds and offers 1 model." in page and f'value="{server.url}"' in page
    assert "sk-new" not in page


async def test_an_empty_key_field_tests_the_stored_key(server, house, admin):
    await admin.post(at("provider_trial_of_form", house.pk), fields(server), headers=HTMX)
    assert server.requests[-1].headers["authorization"] == f"Bearer {SECRET}"


async def test_a_stored_key_is_not_sent_to_another_server(server, house, admin):
    with ModelServer("openai") as other:
        answer = await admin.post(at("provider_trial_of_form", house.pk), fields(other), headers=HTMX)
        assert "another server" in answer.text and not other.requests
        await admin.post(at("provider_trial_of_form", house.pk), fields(other, remove_key="on"), headers=HTMX)
        assert "authorization" not in other.requests[-1].headers
    await house.arefresh_from_db()
    assert house.base_url == server.url and house.has_key


async def test_the_step_that_failed_is_named(server, house, admin):
    server.listing = REFUSED
    report = (await admin.post(at("provider_trial", house.pk), headers=HTMX)).text
    assert "rejected the API key" in report and "bad key" in report
    assert '<li class="is-failed">' in report
    nobody = fields(server, base_url="http://127.0.0.1:1/v1", key="k")
    report = (await admin.post(at("provider_trial_of_new"), nobody, headers=HTMX)).text
    assert "Could not connect" in report and "administrator" not in report


async def test_invalid_values_are_reported_and_nothing_is_sent(server, admin):
    report = (await admin.post(at("provider_trial_of_new"), fields(server, base_url="x"), headers=HTMX)).text
    assert "Nothing was sent" in report and "Base URL" in report


async def test_an_unreadable_key_is_reported(server, house, admin, settings):
    settings.SEALING_KEY = "another"
    for name in ("provider_trial", "provider_trial_of_form"):
        report = (await admin.post(at(name, house.pk), fields(server), headers=HTMX)).text
        assert "Enter it again" in report
    assert not server.requests


async def test_a_failed_listing_is_shown_and_can_be_retried(server, house, admin):
    server.listing = REFUSED
    section = (await admin.post(at("provider_listing", house.pk), headers=HTMX)).text
    assert "House rejected the API key." in section and "Try again" in section
    page = await admin.get(at("provider", house.pk))
    assert "House rejected the API key." in page.text
    server.listing = None
    section = (await admin.post(at("provider_listing", house.pk), headers=HTMX)).text
    assert "Test model" in section and "Try again" not in section


async def test_a_new_provider_lists_its_models_automatically(house, admin):
    page = (await admin.get(at("provider", house.pk))).text
    assert 'hx-trigger="load"' in page
    assert (await admin.post(at("provider_listing", house.pk)))["Location"] == at("provider", house.pk)
    assert 'hx-trigger="load"' not in (await admin.get(at("provider", house.pk))).text


async def test_nobody_else_can_start_a_connection_test(server, house, ada):
    client = AsyncClient()
    await client.aforce_login(ada)
    for name in ("provider_trial", "provider_trial_of_form", "provider_listing"):
        assert (await client.post(at(name, house.pk), fields(server))).status_code == 403
    assert (await client.post(at("provider_trial_of_new"), fields(server))).status_code == 403
    assert not server.requests
