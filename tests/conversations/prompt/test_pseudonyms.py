"""The pseudonym under which a provider knows a person."""

import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from accounts.pseudonyms import make_pseudonym
from conversations.models import Conversation
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.fakes import ModelServer
from upstreams.endpoint import ProtocolName

pytestmark = pytest.mark.django_db(transaction=True)


def name_in(body: dict[str, Any]) -> str | None:
    """The name of the person in a request of either protocol."""
    return body.get("user") or body.get("metadata", {}).get("user_id")


async def ask(browser: Opening, person: User, conversation: Conversation, text: str = "Hello?") -> None:
    tab = await (await browser(person)).open(conversation)
    await tab.browser.say(conversation, text)
    await tab.until_over((await last_reply(conversation)).message_id)


async def test_a_request_carries_the_pseudonym_of_the_person_who_asks(
    browser: Opening, ada: User, ben: User, conversation: Conversation, either_server: ModelServer
) -> None:
    await sync_to_async(provider_at)(either_server)
    either_server.say("Yes.")
    for person in (ada, ben, ada):
        await ask(browser, person, conversation)
    bodies = [request.json for request in either_server.requests]
    field = {"metadata": {"user_id": make_pseudonym(ada)}}
    if either_server.protocol is ProtocolName.OPENAI:
        field = {"user": make_pseudonym(ada)}
    assert {name: bodies[0].get(name) for name in field} == field
    of_ada, of_ben, of_ada_again = map(name_in, bodies)
    assert of_ada == of_ada_again != of_ben
    assert all(re.fullmatch("[0-9a-f]{64}", name or "") for name in (of_ada, of_ben))


async def test_a_site_can_send_no_pseudonyms(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, settings: Any
) -> None:
    settings.SEND_PSEUDONYMS = False
    await sync_to_async(provider_at)(either_server)
    either_server.say("Yes.")
    await ask(browser, ada, conversation)
    assert not {"user", "metadata"} & set(either_server.requests[-1].json)


async def test_a_server_that_refuses_pseudonyms_still_answers(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    with ModelServer(ProtocolName.OPENAI) as server:
        await sync_to_async(provider_at)(server)
        refusal = {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"], "msg": "Extra inputs"}]}
        server.body(refusal, status=422)
        server.say("Yes.")
        await ask(browser, ada, conversation)
        await ask(browser, ada, conversation, "Really?")
        assert ["user" in request.json for request in server.requests] == [True, False, False]
    reply = await last_reply(conversation)
    assert (reply.state, reply.notes) == ("complete", [])


def test_a_pseudonym_depends_on_the_secret_of_the_site_and_on_the_person_alone(
    ada: User, ben: User, settings: Any
) -> None:
    before = make_pseudonym(ada)
    ada.username, ada.email = "lovelace", "lovelace@example.com"
    ada.save()
    assert make_pseudonym(ada) == before != make_pseudonym(ben)
    settings.SECRET_KEY = "another"
    assert make_pseudonym(ada) != before
    assert make_pseudonym(None) == ""
