"""The API key pages: create a key, see its secret once, revoke it; all keys for administrators."""

import ast
import re
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate, now
from lxml import html

from accounts.keys import ApiKey
from gateway.catalogue.lookups import find_key
from gateway.examples import build_examples
from gateway.forms import MAX_KEYS
from gateway.models import find_models_for
from tests.accounts.pages import labels, offences_against_csp, page
from tests.pages import words
from upstreams.models import ChatModel, Provider

KEYS, EVERYBODYS = "/account/keys/", "/settings/keys/"
HTMX = {"HX-Request": "true"}
FIELDS = {"name": "Nightly report", "expires": "never", "scope": "every"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def model():
    provider = Provider.objects.create(name="Testing", protocol="anthropic", base_url="http://127.0.0.1:9")
    return ChatModel.objects.create(provider=provider, model_id="test-model", is_default=True)


@pytest.fixture
def key_of():
    def made(person, name="Laptop", **fields):
        key = ApiKey(person=person, name=name, **fields)
        key.renew_secret()
        key.save()
        return key

    return made


def secret_in(answer):
    [element] = page(answer).xpath("//code[@data-secret]")
    return element.text_content()


def rows(answer):
    return [words(row) for row in page(answer).xpath("//tr[starts-with(@id, 'key-')]")]


def test_ada_creates_a_key_and_sees_its_secret(browser_of, ada, model):
    browser = browser_of(ada)
    assert "Create your first key" in browser.get(KEYS).text
    answer = browser.post(KEYS, FIELDS)
    assert answer.status_code == 201 and not offences_against_csp(answer)
    key = find_key(secret_in(answer))
    assert (key.person, key.name, key.expires_at, key.every_model) == (ada, "Nightly report", None, True)
    assert [row.split("…")[0] for row in rows(answer)] == [f"Nightly report {key.beginning}"]


def test_only_that_response_shows_the_secret(browser_of, ada, model, caplog):
    browser = browser_of(ada)
    answer = browser.post(KEYS, FIELDS)
    secret = secret_in(answer)
    assert "no-store" in answer["Cache-Control"] and answer.text.count(secret) == 1
    for later in (browser.get(KEYS), browser.get("/accounts/"), browser.get("/")):
        assert secret not in later.text
    assert "data-secret" not in browser.get(KEYS).text and "no-store" in browser.get(KEYS)["Cache-Control"]
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])
    assert secret not in str(ApiKey.objects.values()) and secret not in caplog.text


def test_a_form_that_is_sent_again_creates_no_second_key(browser_of, ada, model):
    browser = browser_of(ada)
    after = newest_in(browser.get(KEYS))
    browser.post(KEYS, FIELDS | {"after": after})
    again = browser.post(KEYS, FIELDS | {"after": after}, follow=True)
    assert again.redirect_chain and "data-secret" not in again.text
    assert "“Nightly report” already exists. Its secret was only shown when it was created." in again.text
    assert ApiKey.objects.count() == 1
    # From a page that shows the first one it is meant.
    assert secret_in(browser.post(KEYS, FIELDS | {"after": newest_in(browser.get(KEYS))}))
    assert ApiKey.objects.count() == 2


def newest_in(answer):
    [value] = page(answer).xpath("//input[@name='after']/@value")
    return value


def test_creating_a_key_in_place_returns_part_of_the_page(browser_of, ada, model):
    answer = browser_of(ada).post(KEYS, FIELDS, headers=HTMX)
    assert answer.status_code == 201 and "<html" not in answer.text
    assert find_key(secret_in(answer))


@pytest.mark.parametrize(("choice", "days"), [("30", 30), ("90", 90), ("365", 365)])
def test_a_key_expires_at_the_chosen_time(browser_of, ada, choice, days):
    browser_of(ada).post(KEYS, FIELDS | {"expires": choice})
    assert abs(ApiKey.objects.get().expires_at - now() - timedelta(days=days)) < timedelta(minutes=5)


def test_a_key_works_to_the_end_of_its_last_day(browser_of, ada, settings):
    settings.TIME_ZONE = "Europe/Vienna"
    day = localdate() + timedelta(days=10)
    browser_of(ada).post(KEYS, FIELDS | {"expires": "on", "last_day": day.isoformat()})
    expires = ApiKey.objects.get().expires_at
    assert localdate(expires) == day + timedelta(days=1) and localdate(expires - timedelta(seconds=1)) == day


def test_a_key_is_for_some_models_alone(browser_of, ada, model):
    other = model.provider.chat_models.create(model_id="other")
    browser_of(ada).post(KEYS, FIELDS | {"scope": "some", "chat_models": [other.pk]})
    assert list(find_models_for(ApiKey.objects.get())) == [other]
    assert rows(browser_of(ada).get(KEYS))[0].split("…")[1].split()[0] == "other"


@pytest.mark.parametrize(
    ("fields", "label", "told"),
    [
        ({"name": "  "}, "Name", "This field is required."),
        ({"name": "x" * 81}, "Name", "at most 80 characters"),
        ({"expires": "on"}, "Last day", "Choose the last day on which the key is valid."),
        ({"expires": "on", "last_day": date(2020, 1, 1)}, "Last day", "Choose today or a later day."),
        ({"expires": "on", "last_day": "soon"}, "Last day", "Enter a valid date."),
        ({"expires": "soon"}, "Expires", "Select a valid choice."),
    ],
)
def test_an_error_appears_at_its_field(browser_of, ada, model, fields, label, told):
    answer = browser_of(ada).post(KEYS, FIELDS | fields)
    assert answer.status_code == 422 and not ApiKey.objects.exists()
    field = labels(answer)[label]
    assert field.get("aria-invalid") == "true" and told in words(field.getparent())


def test_selected_models_must_include_an_offered_one(browser_of, ada, model):
    hidden = model.provider.chat_models.create(model_id="hidden", is_enabled=False)
    for chosen in ([], [hidden.pk], ["x"]):
        answer = browser_of(ada).post(KEYS, FIELDS | {"scope": "some", "chat_models": chosen})
        assert answer.status_code == 422 and page(answer).xpath("//ul[contains(@class, 'errorlist')]")
    assert not ApiKey.objects.exists()


def test_a_person_has_a_maximum_of_active_keys(browser_of, ada, key_of):
    for number in range(MAX_KEYS):
        key_of(ada, f"Number {number}")
    answer = browser_of(ada).post(KEYS, FIELDS)
    assert answer.status_code == 422 and "Revoke one before you create another." in answer.text
    ada.api_keys.first().revoke()
    assert browser_of(ada).post(KEYS, FIELDS).status_code == 201


def test_a_name_becomes_text_on_one_line(browser_of, ada, model):
    answer = browser_of(ada).post(KEYS, FIELDS | {"name": "<b>bold</b>\n$(reboot)"})
    assert ApiKey.objects.get().name == "<b>bold</b> $(reboot)"
    assert not page(answer).xpath("//main//b") and "  # <b>bold</b> $(reboot)\n" in page(answer).text_content()


def test_ada_revokes_her_key(browser_of, ada, key_of):
    key = key_of(ada)
    browser = browser_of(ada)
    assert "You cannot undo this" in browser.get(KEYS).text
    answer = browser.post(f"{KEYS}{key.pk}/revoke/", follow=True)
    key.refresh_from_db()
    assert key.revoked_at and "Revoked “Laptop”." in answer.text
    assert "revoked" in rows(answer)[0] and not page(answer).xpath("//button[text()='Revoke']")


def test_a_link_cannot_revoke_a_key(browser_of, ada, key_of):
    key = key_of(ada)
    assert browser_of(ada).get(f"{KEYS}{key.pk}/revoke/").status_code == 405
    key.refresh_from_db()
    assert key.is_valid


def test_the_keys_of_others_do_not_exist(browser_of, ada, mallory, root, key_of):
    key = key_of(ada)
    assert rows(browser_of(mallory).get(KEYS)) == []
    for person in (mallory, root):
        assert browser_of(person).post(f"{KEYS}{key.pk}/revoke/").status_code == 404
    assert browser_of(mallory).post(f"{EVERYBODYS}{key.pk}/revoke/").status_code == 403
    key.refresh_from_db()
    assert key.is_valid


def test_a_key_shows_its_state_in_words(browser_of, ada, key_of):
    key_of(ada, "New")
    key_of(ada, "Ending", expires_at=now() + timedelta(days=3))
    key_of(ada, "Ended", expires_at=now() - timedelta(days=3), last_used_at=now() - timedelta(days=4))
    key_of(ada, "Gone").revoke()
    shown = {row.split()[0]: row for row in rows(browser_of(ada).get(KEYS))}
    said = {"New": "never never active", "Ending": "expires soon", "Ended": "4 days ago", "Gone": "revoked"}
    for name, state in said.items():
        assert state in shown[name]
    assert list(shown) == ["Ending", "New", "Gone", "Ended"]


# How to use it


def test_the_examples_name_this_site_a_model_and_the_key(browser_of, ada, model, key_of):
    key = key_of(ada, "Nightly report")
    text = page(browser_of(ada).get(KEYS, headers={"host": "localhost:8123"})).text_content()
    assert "curl http://localhost:8123/v1/messages" in text and f'"{key.beginning}…"  # Nightly report' in text
    assert 'base_url="http://localhost:8123",  # without /v1' in text
    assert 'base_url="http://localhost:8123/v1",  # with /v1' in text
    assert text.count('"test-model"') == 3


def test_the_examples_of_a_narrowed_key_ask_a_model_it_is_for(browser_of, ada, model):
    other = model.provider.chat_models.create(model_id="other")
    answer = browser_of(ada).post(KEYS, FIELDS | {"scope": "some", "chat_models": [other.pk]})
    text = page(answer).text_content()
    assert '"other"' in text and '"test-model"' not in text


def test_without_a_model_the_page_says_so(browser_of, ada):
    assert "No model is offered yet" in browser_of(ada).get(KEYS).text


def test_the_examples_are_python_and_nothing_of_a_models_name_gets_out_of_its_quotes():
    hostile = "x\"'; touch /tmp/hit; echo '\n"
    curl, *for_python = build_examples("https://chat.example.org", hostile, None)
    for each in for_python:
        strings = {node.value for node in ast.walk(ast.parse(each.source)) if isinstance(node, ast.Constant)}
        assert hostile in strings
    # To a shell, a quote ends at the next one, and is followed by one that is escaped.
    body = curl.source.split("-d ")[1].strip()
    assert re.fullmatch(r"""'[^']*'(?:"'"'[^']*')*""", body)


# Everybody's


def test_an_administrator_finds_and_revokes_any_key(browser_of, ada, ben, root, key_of):
    lent, kept = key_of(ada, "Laptop"), key_of(ben, "Batch")
    browser = browser_of(root)
    answer = browser.get(EVERYBODYS)
    assert [row.split(" cs-")[0] for row in rows(answer)] == ["Ben Okri Batch", "Ada Lovelace Laptop"]
    assert not offences_against_csp(answer) and lent.digest not in answer.text
    found = browser.get(EVERYBODYS, {"q": "lovelace"})
    [address] = page(found).xpath("//form[contains(@action, 'revoke')]/@action")
    answer = browser.post(address, follow=True)
    assert answer.redirect_chain == [(f"{EVERYBODYS}?q=lovelace", 302)]
    assert "Revoked “Laptop” of Ada Lovelace." in answer.text
    assert [key.is_valid for key in ApiKey.objects.order_by("pk")] == [False, True] and kept.is_valid


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Gone", "Ended", "Idle", "Fresh"]),
        ({"state": "valid"}, ["Idle", "Fresh"]),
        ({"state": "idle"}, ["Idle"]),
        ({"state": "expired"}, ["Ended"]),
        ({"state": "revoked"}, ["Gone"]),
        ({"state": "nonsense"}, ["Gone", "Ended", "Idle", "Fresh"]),
        ({"q": "BEN"}, ["Gone"]),
        ({"q": "fres"}, ["Fresh"]),
        ({"q": "fres", "state": "revoked"}, []),
        ({"page": "99"}, ["Gone", "Ended", "Idle", "Fresh"]),
    ],
)
def test_the_list_of_all_keys_is_filtered(browser_of, ada, ben, root, key_of, query, found):
    long_ago = now() - timedelta(days=100)
    key_of(ada, "Fresh")
    key_of(ada, "Idle", last_used_at=long_ago)
    key_of(ada, "Ended", expires_at=now() - timedelta(days=1))
    key_of(ben, "Gone").revoke()
    for headers in ({}, HTMX):
        answer = browser_of(root).get(EVERYBODYS, query, headers=headers)
        assert [row.split(" cs-")[0].split()[-1] for row in rows(answer)] == found
    assert ("No keys match." in answer.text) == (not found)


def test_a_key_is_found_by_its_beginning(browser_of, ada, root, key_of):
    key = key_of(ada)
    key_of(ada, "Another")
    assert len(rows(browser_of(root).get(EVERYBODYS, {"q": key.beginning}))) == 1


def test_the_pages_of_a_long_list_keep_the_filter(browser_of, ada, root, key_of):
    for number in range(60):
        key_of(ada, f"Number {number}")
    first = browser_of(root).get(EVERYBODYS, {"state": "valid"})
    assert len(rows(first)) == 50 and "1–50 of 60" in first.text
    [onward] = page(first).xpath("//nav[@class='pager']/a[@rel='next']/@href")
    second = browser_of(root).get(EVERYBODYS + onward)
    assert len(rows(second)) == 10 and "state=valid" in onward


@pytest.mark.parametrize("where", [KEYS, EVERYBODYS])
def test_a_list_takes_the_same_queries_for_many_keys_as_for_few(browser_of, root, key_of, model, where):
    browser, asked = browser_of(root), []
    for count in (2, 30):
        for number in range(count):
            key_of(root, f"Number {number}", every_model=False).allowed_models.create(chat_model=model)
        with CaptureQueriesContext(connection) as queries:
            browser.get(where)
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_changing_keys_does_not_require_seeing_providers(browser_of, mallory):
    mallory.user_permissions.add(Permission.objects.get(codename="change_apikey"))
    answer = browser_of(mallory).get(EVERYBODYS)
    assert "No API keys yet." in answer.text
    assert html.fromstring(answer.text).xpath("//nav[@aria-label='Settings']/a/@href") == [EVERYBODYS]
