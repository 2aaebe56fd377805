"""The page of deleted conversations and messages shows what the person may restore, as long as it is kept."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now
from lxml import html

from accounts.models import User
from conversations.models import Conversation, Message, Path, Role
from conversations.verbs import turns
from tests.conversations.talking import add_exchange

pytestmark = pytest.mark.django_db

type SignedIn = Callable[[User], Client]


def read_list(client: Client, page: str = "") -> list[str]:
    """The deleted things: the words of each entry, without the times."""
    document = html.document_fromstring(client.get(f"/deleted/{page}").content.decode())
    return [" ".join(each.text_content().split()) for each in document.cssselect(".deleted-item .deleted-what")]


def delete(row: Conversation | Message, **ago: float) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(deleted_at=now() - timedelta(**ago))


def restore_first(client: Client) -> str:
    document = html.document_fromstring(client.get("/deleted/").content.decode())
    form = document.cssselect(".deleted-item form")[0]
    answer = client.post(form.get("action"))
    assert answer.status_code == 302
    return str(answer.headers["location"])


def test_a_conversation_is_found_and_brought_back(
    browser_of: SignedIn, ada: User, ben: User, conversation: Conversation
) -> None:
    Conversation.objects.update(title="Tea")
    adas, bens = browser_of(ada), browser_of(ben)
    assert adas.post(f"/conversations/{conversation.pk}/delete/").status_code == 302
    # Only the owner may restore it.
    assert read_list(bens) == []
    assert read_list(adas) == ["Conversation Tea"]
    assert restore_first(adas) == f"/conversations/{conversation.pk}/"
    assert read_list(adas) == []
    assert adas.get(f"/conversations/{conversation.pk}/").status_code == 200


def test_messages_are_listed_for_their_author_and_for_the_owner(
    browser_of: SignedIn, ada: User, ben: User, mallory: User, conversation: Conversation
) -> None:
    Conversation.objects.update(title="Tea")
    for person in (ada, ben):
        add_exchange(Path.through(conversation), person, f"From {person.username}", "Yes")
    for hours, message in enumerate(Message.objects.order_by("-pk")):
        delete(message, hours=hours)
    assert len(read_list(browser_of(ada))) == 4
    assert read_list(browser_of(ben)) == ["Message in Tea Ben Okri: From ben"]
    assert read_list(browser_of(mallory)) == []
    assert restore_first(browser_of(ben)) == f"/conversations/{conversation.pk}/"
    assert Message.objects.filter(deleted_at=None).count() == 1


@pytest.mark.parametrize("leave", ["conversation deleted", "no longer a member", "account closed"])
def test_messages_of_what_a_person_cannot_see_are_not_listed(
    leave: str, browser_of: SignedIn, ben: User, conversation: Conversation
) -> None:
    add_exchange(Path.through(conversation), ben, "From Ben", "To Ben")
    for message in Message.objects.all():
        delete(message)
    client = browser_of(ben)
    assert len(read_list(client)) == 1
    if leave == "conversation deleted":
        delete(conversation)
    elif leave == "no longer a member":
        conversation.participants.filter(user=ben).delete()
    else:
        User.objects.filter(pk=ben.pk).update(is_active=False)
        assert client.get("/deleted/").status_code == 302
        return
    assert read_list(client) == []


def test_the_list_says_when_things_go_for_good_and_leaves_out_what_is_too_old(browser_of: SignedIn, ada: User) -> None:
    for title, days in (("Yesterday", 1), ("Last", 29.9), ("Too old", 30.1)):
        delete(turns.begin(ada, title=title), days=days)
    adas = browser_of(ada)
    assert read_list(adas) == ["Conversation Yesterday", "Conversation Last"]
    page = html.document_fromstring(adas.get("/deleted/").content.decode())
    [soon, last] = page.cssselect(".deleted-item")
    assert re.search(r"Gone for good\s+in\s+28 days", soon.text_content())
    assert re.search(r"Gone for good\s+in\s+2\s+hours", last.text_content())
    assert [len(each.cssselect("time[datetime]")) for each in (soon, last)] == [2, 2]


def test_a_long_list_has_pages_and_foreign_text_stays_text(browser_of: SignedIn, ada: User) -> None:
    for number in range(60):
        delete(turns.begin(ada, title=f"<b>{number}"), minutes=number)
    adas = browser_of(ada)
    first, second = read_list(adas), read_list(adas, "?page=2")
    assert first[0] == "Conversation <b>0" and second[-1] == "Conversation <b>59"
    assert len(first) + len(second) == len({*first, *second}) == 60
    for page in ("0", "99", "x", "²"):
        assert adas.get(f"/deleted/?page={page}").status_code == 200


def test_the_menu_leads_to_the_page_which_says_when_it_is_empty(browser_of: SignedIn, ada: User) -> None:
    adas = browser_of(ada)
    assert b'href="/deleted/"' in adas.get("/").content
    page = adas.get("/deleted/").content.decode()
    assert "Nothing was deleted in the last 30 days." in page


def test_a_message_without_text_says_what_it_was(browser_of: SignedIn, ada: User, conversation: Conversation) -> None:
    add_exchange(Path.through(conversation), ada, "Look", "")
    answer = Message.objects.get(role=Role.ASSISTANT)
    Message.objects.filter(pk=answer.pk).update(blocks=[])
    delete(answer)
    assert read_list(browser_of(ada)) == ["Message in New conversation Model: (no text)"]
