"""Searches ignore case and accents, on every database."""

from collections.abc import Callable

import pytest
from django.test import Client
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import html

from accounts.models import User
from conversations.live import sidebar
from conversations.models import Conversation, Message, Role
from conversations.verbs import turns
from upstreams.models import Provider

pytestmark = pytest.mark.django_db

PLACES = "Zürich, Ærø, Łódź, São Paulo, Москва, Ελλάς, 東京, ガ, 서울, 😀, 100% of a_b, C:\\temp, Hauptstraße"
TYPED = [
    *("zurich", "ZÜRICH", "Zürich", "zu\u0308rich", "sao paulo", "SÃO", "ærø", "ŁÓDŹ", "łodz", "москва", "МОСКВА"),
    *("ελλας", "東京", "京", "ガ", "서울", "😀", "100%", "A_B", "c:\\TEMP", "c:\\", "ΕΛΛΑΣ", "STRASSE", "straße"),
]
NOT_THERE = ["zurrich", "東東", "か", "😁", "1%0", "axb", "c:/"]


@pytest.fixture
def conversation(ada: User) -> Conversation:
    return turns.begin(ada, title=PLACES)


def write(conversation: Conversation, text: str) -> Message:
    branch = conversation.branch
    return Message.objects.create(
        conversation=conversation, branch=branch, role=Role.USER, blocks=[{"type": "text", "text": text}]
    )


def count_rows(root: Client, address: str, words: str) -> int:
    answer = root.get(address, {"q": words})
    assert answer.status_code == 200
    return len(html.fromstring(answer.text).xpath("//table[@id='result_list']/tbody/tr"))


@pytest.mark.parametrize("words", TYPED)
def test_a_title_and_a_message_are_found(
    words: str, ada: User, root: User, conversation: Conversation, browser_of: Callable[[User], Client]
) -> None:
    write(conversation, PLACES)
    write(turns.begin(ada), f"“{PLACES}”")
    administrator = browser_of(root)
    assert count_rows(administrator, "/admin/conversations/conversation/", words) == 1
    assert count_rows(administrator, "/admin/conversations/message/", words) == 2
    assert sidebar.find(ada, words.split()[0]) == [conversation]


@pytest.mark.parametrize("words", NOT_THERE)
def test_other_words_are_not_found(words: str, ada: User, conversation: Conversation) -> None:
    write(conversation, PLACES)
    assert not Message.objects.filter(blocks__icontains=words).exists()
    assert sidebar.find(ada, words) == []


def test_people_and_providers_are_found(browser_of: Callable[[User], Client], root: User) -> None:
    User.objects.create_user("joerg", name="Jörg Müller")
    Provider.objects.create(name="Überall", protocol="openai", base_url="http://127.0.0.1:9/v1")
    administrator = browser_of(root)
    assert count_rows(administrator, "/admin/accounts/user/", "JÖRG muller") == 1
    assert count_rows(administrator, "/admin/upstreams/provider/", "uberall") == 1


@pytest.mark.parametrize(
    "text", ["a\0b", "\ud83d alone", "\ude00 alone", "\ude00\ud83d", "\\u0041 \\ud83d", '"quoted" \n \\"']
)
def test_no_stored_text_makes_a_search_fail(text: str, ada: User, conversation: Conversation) -> None:
    write(conversation, f"{text} in Zürich")
    assert Message.objects.filter(blocks__icontains="ZURICH").count() == 1


@given(data=st.data(), text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_each_part_of_a_text_finds_it(data: st.DataObject, text: str, ada: User, conversation: Conversation) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    part = text[start : data.draw(st.integers(start + 1, len(text)))]
    # Hangul and accents join the characters before them.
    assume(not any(0x0300 <= ord(character) < 0x0370 or 0x1100 <= ord(character) < 0x1200 for character in text))
    Conversation.objects.filter(pk=conversation.pk).update(title=text)
    message = write(conversation, text)
    assert Conversation.objects.filter(title__icontains=part, pk=conversation.pk).exists()
    assert Message.objects.filter(blocks__icontains=part, pk=message.pk).exists()
