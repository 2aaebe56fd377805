"""Changing a conversation itself: its title, its settings, deleting and restoring it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from lxml import html

from accounts.models import User
from conversations.forms.settings import SettingsForm
from conversations.models import Conversation
from conversations.verbs import turns
from tests.conversations.asking import Opening
from tests.fakes import ModelServer
from tests.pages import HTMX, form_errors
from upstreams.models import ChatModel

type SignedIn = Callable[[User], Client]


@pytest.mark.django_db
def test_every_member_may_rename_a_conversation(browser_of: SignedIn, ben: User, conversation: Conversation) -> None:
    address = f"/conversations/{conversation.pk}/title/"
    answer = browser_of(ben).post(address, {"title": "  Weather & <wind> "})
    assert (answer.status_code, answer["location"]) == (302, f"/conversations/{conversation.pk}/")
    conversation.refresh_from_db()
    assert conversation.title == "Weather & <wind>"
    page = browser_of(ben).get(f"/conversations/{conversation.pk}/").content.decode()
    assert "Weather &amp; &lt;wind&gt;" in page and "<wind>" not in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("title", "words"),
    [("", "Enter a title"), ("   ", "Enter a title"), ("a" * 201, "200 characters")],
)
def test_an_impossible_title_is_refused_in_words(
    browser_of: SignedIn, ada: User, conversation: Conversation, title: str, words: str
) -> None:
    Conversation.objects.update(title="Weather")
    for headers in ({}, HTMX):
        answer = browser_of(ada).post(f"/conversations/{conversation.pk}/title/", {"title": title}, headers=headers)
        assert answer.status_code == 422
        assert words in answer.content.decode()
    conversation.refresh_from_db()
    assert conversation.title == "Weather"


@pytest.mark.django_db(transaction=True)
async def test_everybody_sees_the_new_title_at_once(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    answer = await tabs[0].browser.post(f"/conversations/{conversation.pk}/title/", title="Tea & <cake>")
    assert "dialog:close" in answer.headers["hx-trigger"]
    for tab in tabs:
        await tab.until(lambda page: page.title == "Tea & <cake>")
        await tab.until(lambda page: page.one(f"#title-{conversation.pk}").get("value") == "Tea & <cake>")
        [link] = tab.page.find(f"#sidebar [data-title-of='{conversation.pk}']")
        assert link.text_content() == "Tea & <cake>"


SETTINGS: dict[str, Any] = {
    "system_prompt": "Be brief.\nBe kind.",
    "max_tokens": 4000,
    "temperature": 0.5,
    "top_k": 40,
    "stop_sequences": "END\r\n\tstop ",
}


@pytest.mark.django_db
def test_settings_are_saved_and_shown_again(
    browser_of: SignedIn, ben: User, conversation: Conversation, model: ChatModel
) -> None:
    address, bens = f"/conversations/{conversation.pk}/settings/", browser_of(ben)
    assert bens.post(address, SETTINGS).status_code == 302
    conversation.refresh_from_db()
    assert (conversation.max_tokens, conversation.temperature, conversation.top_k) == (4000, 0.5, 40)
    assert conversation.top_p is None
    assert conversation.stop_sequences == ["END", "\tstop "]
    form = html.document_fromstring(bens.get(address).content.decode()).cssselect("form[action$='/settings/']")[0]
    shown = dict(form.form_values())
    assert (shown["max_tokens"], shown["stop_sequences"].split("\n")[-1]) == ("4000", "\tstop ")
    answer = bens.post(address, {}, headers=HTMX)
    assert "dialog:close" in answer.headers.get("hx-trigger", "") or answer.status_code == 422


@pytest.mark.django_db
def test_settings_leave_alone_what_changes_while_they_are_saved(
    browser_of: SignedIn, ben: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = SettingsForm.clean

    def rename_meanwhile(form: SettingsForm) -> dict[str, Any]:
        Conversation.objects.get(pk=conversation.pk).rename("Renamed meanwhile")
        return clean(form)

    monkeypatch.setattr(SettingsForm, "clean", rename_meanwhile)
    address = f"/conversations/{conversation.pk}/settings/"
    assert browser_of(ben).post(address, {"system_prompt": "Be brief."}).status_code == 302
    revision = conversation.revision
    conversation.refresh_from_db()
    assert (conversation.title, conversation.system_prompt) == ("Renamed meanwhile", "Be brief.")
    assert conversation.revision == revision + 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("temperature", "1.5", "between 0 and 1"),
        ("temperature", "warm", "Enter a number"),
        ("temperature", "nan", "Enter a number"),
        ("max_tokens", "0", "at least 1 token"),
        ("max_tokens", "-5", "greater than or equal to 0"),
        ("max_tokens", "1" * 30, ""),
        *(
            (field, str(number), "less than or equal to 100000000")
            for field in ("max_tokens", "top_k", "thinking_budget")
            for number in (2**31, 2**63 - 1, 2**63, 10**30)
        ),
        ("max_tokens", str(-(2**63)), "greater than or equal to 0"),
        ("temperature", "1e400", "Enter a number"),
        ("top_p", "2", "between 0 and 1"),
        ("stop_sequences", "END\n  \nSTOP", "more than white space"),
    ],
)
def test_a_setting_that_the_model_does_not_allow_is_refused_beside_its_field(
    browser_of: SignedIn,
    ada: User,
    conversation: Conversation,
    model: ChatModel,
    field: str,
    value: str,
    words: str,
) -> None:
    asked = {"system_prompt": "Be brief.", field: value}
    answer = browser_of(ada).post(f"/conversations/{conversation.pk}/settings/", asked, headers=HTMX)
    assert answer.status_code == 422
    told = form_errors(answer.content)
    assert list(told) == [field]
    assert words in told[field]
    conversation.refresh_from_db()
    assert conversation.system_prompt == ""


@pytest.mark.django_db
def test_only_its_owner_may_delete_a_conversation(
    browser_of: SignedIn, ada: User, ben: User, conversation: Conversation
) -> None:
    address = f"/conversations/{conversation.pk}/"
    assert browser_of(ben).post(f"{address}delete/").status_code == 404
    assert browser_of(ben).get(address).status_code == 200
    answer = browser_of(ada).post(f"{address}delete/")
    assert (answer.status_code, answer["location"]) == (302, f"/?deleted={conversation.pk}")
    for person in (ada, ben):
        assert browser_of(person).get(address).status_code == 404
        assert f"conversation-{conversation.pk}" not in browser_of(person).get("/conversations/").content.decode()


@pytest.mark.django_db
def test_a_deleted_conversation_comes_back_with_undo(
    browser_of: SignedIn, ada: User, conversation: Conversation
) -> None:
    Conversation.objects.update(title="Weather")
    adas = browser_of(ada)
    page = adas.post(f"/conversations/{conversation.pk}/delete/", follow=True).content.decode()
    assert "“Weather” was deleted." in page
    answer = adas.post(f"/conversations/{conversation.pk}/restore/")
    assert answer["location"] == f"/conversations/{conversation.pk}/"
    assert adas.get(answer["location"]).status_code == 200


@pytest.mark.django_db
def test_only_the_owner_may_undo_the_deletion(
    browser_of: SignedIn, ada: User, ben: User, mallory: User, conversation: Conversation
) -> None:
    browser_of(ada).post(f"/conversations/{conversation.pk}/delete/")
    for person in (ben, mallory):
        assert browser_of(person).post(f"/conversations/{conversation.pk}/restore/").status_code == 404
    conversation.refresh_from_db()
    assert conversation.deleted_at is not None


@pytest.mark.django_db
def test_a_conversation_that_is_not_deleted_cannot_be_restored(
    browser_of: SignedIn, ada: User, conversation: Conversation
) -> None:
    assert browser_of(ada).post(f"/conversations/{conversation.pk}/restore/").status_code == 404


@pytest.mark.django_db
def test_deleting_with_scripts_goes_home_only_from_the_conversation_itself(
    browser_of: SignedIn, ada: User, conversation: Conversation
) -> None:
    other = turns.begin(ada)
    elsewhere = {**HTMX, "hx-current-url": f"http://testserver/conversations/{other.pk}/"}
    answer = browser_of(ada).post(f"/conversations/{conversation.pk}/delete/", headers=elsewhere)
    assert "hx-redirect" not in answer.headers and "was deleted" in answer.content.decode()
    here = {**HTMX, "hx-current-url": f"http://testserver/conversations/{other.pk}/"}
    answer = browser_of(ada).post(f"/conversations/{other.pk}/delete/", headers=here)
    assert answer.headers["hx-redirect"] == f"/?deleted={other.pk}"


@pytest.mark.django_db(transaction=True)
async def test_deleting_closes_everybodys_tabs_on_it(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer
) -> None:
    bens = await (await browser(ben)).open(conversation)
    await (await browser(ada)).post(f"/conversations/{conversation.pk}/delete/")
    assert await bens.until_closed() == 4403
