"""A used-up budget: people learn which one, how much and until when, and nothing that they typed is lost."""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Path, Role
from conversations.models.message import text_block
from conversations.verbs.writing import add_turn
from ledger.models import Budget, RateLimit
from tests.conversations.asking import queue_turn
from tests.ledger.calling import begin_call, make_call
from tests.pages import HTMX, Page
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db

USED_UP = re.compile(r"Your monthly budget is used up: \$0\.02 of \$0\.01\. It renews on 1 [A-Z][a-z]+\.")

type SignedIn = Callable[[User], Client]


@pytest.fixture
def client(ada: User, browser_of: SignedIn) -> Client:
    return browser_of(ada)


@pytest.fixture
def over(ada: User, model: ChatModel) -> Budget:
    """Ada's budget is used up."""
    make_call(ada, model, 0, 1000)
    return Budget.objects.create(scope="person", period="month", unit="money", limit=Decimal("0.01"))


@pytest.fixture
def answer(ada: User, conversation: Conversation, model: ChatModel) -> Message:
    """The answer to a turn, which was cut."""
    generation = queue_turn(conversation, ada, "Well?", model)
    Generation.objects.update(state="interrupted")
    Message.objects.filter(pk=generation.message_id).update(blocks=[text_block("Half")])
    return generation.message


def test_a_refused_turn_is_explained_and_its_text_stays(
    client: Client, conversation: Conversation, over: Budget
) -> None:
    refused = client.post(f"/conversations/{conversation.pk}/turns/", {"text": "Hello?"}, headers=HTMX)
    assert refused.status_code == 429
    assert USED_UP.search(refused.content.decode())
    # The response has only the error: the page keeps the field with its text, and the files.
    assert "textarea" not in refused.content.decode()
    assert not Message.objects.exists()


def test_without_scripts_the_page_comes_back_with_the_text_and_the_files(
    client: Client, conversation: Conversation, over: Budget
) -> None:
    file = SimpleUploadedFile("notes.txt", b"Some notes.", "text/plain")
    refused = client.post(f"/conversations/{conversation.pk}/turns/", {"text": "Hello?", "files": [file]})
    assert refused.status_code == 429
    page = Page(refused.content.decode())
    assert USED_UP.search(page.one("#composer-errors").text_content())
    assert page.one("#message").text_content().strip() == "Hello?"
    assert "notes.txt" in page.one("#drafts").text_content()


def test_a_first_turn_begins_no_conversation(client: Client, over: Budget) -> None:
    for headers in (HTMX, {}):
        refused = client.post("/turns/", {"text": "Hello?"}, headers=headers)
        assert refused.status_code == 429 and USED_UP.search(refused.content.decode())
    assert not Conversation.objects.exists()


def test_a_turn_that_was_posted_already_is_not_refused(
    client: Client, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    turn = {"text": "Hello?", "key": "6b1f2f4e-9d0e-4a7c-8f59-0f6f5f0c9f5a"}
    add_turn(Path.through(conversation), ada, "Hello?", model, turn["key"])
    Budget.objects.create(scope="site", period="day", unit="tokens", limit=0)
    assert client.post(f"/conversations/{conversation.pk}/turns/", turn, headers=HTMX).status_code == 201
    assert Message.objects.filter(role=Role.USER).count() == 1


@pytest.mark.parametrize("verb", ["retries", "continuations", "edits"])
@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_asking_for_another_answer_is_refused_with_an_explanation(
    client: Client, conversation: Conversation, answer: Message, over: Budget, verb: str, headers: dict[str, str]
) -> None:
    message = answer.parent_id if verb == "edits" else answer.pk
    address = f"/conversations/{conversation.pk}/messages/{message}/{verb}/"
    before = Generation.objects.count()
    refused = client.post(address, {"text": "Said otherwise"}, headers=headers)
    assert refused.status_code == 429
    assert USED_UP.search(refused.content.decode())
    assert Generation.objects.count() == before
    if verb == "edits" and not headers:
        assert "Said otherwise" in refused.content.decode()


def test_a_summary_is_refused_too(client: Client, conversation: Conversation, answer: Message, over: Budget) -> None:
    refused = client.post(f"/conversations/{conversation.pk}/summaries/", headers=HTMX)
    assert refused.status_code == 429 and USED_UP.search(refused.content.decode())
    assert Conversation.objects.count() == 1


def test_it_warns_before_and_near_the_gauge(
    client: Client, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    budget = Budget.objects.create(scope="person", period="month", unit="money", limit=10)
    page = f"/conversations/{conversation.pk}/"
    assert Page(client.get(page).content.decode()).one("#budget-note").text_content().strip() == ""
    make_call(ada, model, 0, 553_334)
    words = re.compile(r"83\xa0% of your monthly budget is used: \$8\.30 of \$10\.00\. It renews on 1 [A-Z][a-z]+\.")
    for address in (page, "/"):
        assert words.search(Page(client.get(address).content.decode()).one("#budget-note").text_content())
    assert words.search(client.get(f"/conversations/{conversation.pk}/context/").content.decode())
    assert client.post(f"/conversations/{conversation.pk}/turns/", {"text": "On"}, headers=HTMX).status_code == 201
    Budget.objects.filter(pk=budget.pk).update(warn_share=90)
    assert not words.search(client.get(page).content.decode())


def test_other_peoples_budgets_are_their_own(
    browser_of: SignedIn, ben: User, conversation: Conversation, over: Budget
) -> None:
    answered = browser_of(ben).post(f"/conversations/{conversation.pk}/turns/", {"text": "Hello?"}, headers=HTMX)
    assert answered.status_code == 201


def test_a_request_limit_says_when_to_try_again(
    client: Client, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    RateLimit.objects.create(scope="person", requests_a_minute=1)
    begin_call(ada, model)
    refused = client.post(f"/conversations/{conversation.pk}/turns/", {"text": "Hello?"}, headers=HTMX)
    assert refused.status_code == 429
    assert re.search(r"You have made 1 request within a minute.*Try again in \d+ second", refused.content.decode())
