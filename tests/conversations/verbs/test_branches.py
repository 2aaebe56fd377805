"""The laws of branches: in any tree, a path is what walking back from its end finds."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Branch, Conversation, Message, Path
from conversations.prompt.transcript import build_request
from conversations.verbs import deleting, turns
from conversations.verbs.writing import add_turn
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import aadd_exchange, add_exchange, ask_and_wait, load_page, prompt_texts, texts
from tests.conversations.trees import FOREST, fork, grow
from tests.fakes import ModelServer
from upstreams.models import ChatModel

afork = sync_to_async(fork)


def path_by_parents(branch: Branch) -> list[int]:
    """The messages from the first to a branch's last one, by following their parents back."""
    at = branch.messages.order_by("pk").last()
    way = []
    while at is not None:
        way.append(at.pk)
        at = Message.objects.filter(pk=at.parent_id).first()
    return way[::-1]


@pytest.mark.django_db
@pytest.mark.parametrize("seed", FOREST)
def test_a_path_is_what_walking_back_from_its_end_finds(ada: User, conversation: Conversation, seed: int) -> None:
    grow(conversation, ada, seed)
    everything = list(conversation.messages.values_list("branch", "pk"))
    for branch in conversation.branches.all():
        path = Path.to(branch)
        on_path = [message.pk for message in path.messages]
        assert on_path == path_by_parents(branch)
        assert [pk for branch_pk, pk in everything if path.includes(branch_pk, pk)] == on_path
        assert path.find_last_key() == on_path[-1]
        roles = [message.role for message in path.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", FOREST)
def test_a_deleted_message_is_on_no_path_and_nothing_else_is_missing(
    ada: User, conversation: Conversation, seed: int
) -> None:
    chance = grow(conversation, ada, seed)
    before = {branch.pk: [each.pk for each in Path.to(branch).messages] for branch in conversation.branches.all()}
    tails = {branch.pk: Path.to(branch).find_last_key() for branch in conversation.branches.all()}
    gone = chance.sample(list(conversation.messages.all()), 2)
    for message in gone:
        deleting.delete(message)
    for branch in conversation.branches.all():
        left = [pk for pk in before[branch.pk] if pk not in {message.pk for message in gone}]
        assert [message.pk for message in Path.to(branch).messages] == left
        assert Path.to(branch).find_last_key() == tails[branch.pk]
    for message in gone:
        deleting.restore(message)
    assert before == {
        branch.pk: [each.pk for each in Path.to(branch).messages] for branch in conversation.branches.all()
    }


@pytest.mark.django_db
@pytest.mark.parametrize("seed", FOREST)
def test_versions_have_the_same_message_before_them(ada: User, conversation: Conversation, seed: int) -> None:
    grow(conversation, ada, seed)
    everything = list(conversation.messages.for_reading())
    for message in everything:
        same_place = [other.pk for other in everything if other.parent_id == message.parent_id]
        assert [version.pk for version in message.versions] == same_place
        assert same_place[message.number - 1] == message.pk
        # A link to a version leads to its own branch, whose path must include it.
        for version in message.versions:
            assert Path.to(version.branch).includes(version.branch_id, version.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", FOREST)
def test_models_get_what_precedes_the_answer_on_its_own_branch(
    ada: User, conversation: Conversation, model: ChatModel, seed: int
) -> None:
    grow(conversation, ada, seed, model)
    for branch in conversation.branches.all():
        expected = [message.text for message in Path.to(branch).messages]
        generation = add_turn(Path.through(conversation, branch.pk), ada, "And?", model)
        request = build_request(generation, generation.message)
        assert [message.blocks[0]["text"] for message in request.messages] == [*expected, "And?"]


@pytest.mark.django_db
def test_however_deep_a_branch_lies_its_path_takes_two_queries(
    ada: User, conversation: Conversation, django_assert_num_queries: Callable[[int], Any]
) -> None:
    at = add_exchange(Path.through(conversation), ada, "Q", "A")
    for number in range(30):
        branch = fork(at, None)
        path = Path.through(conversation, branch.pk)
        at = add_exchange(path, ada, f"Q{number}", "A")
    fresh = Conversation.objects.get(pk=conversation.pk)
    with django_assert_num_queries(2):
        path = Path.through(fresh, branch.pk)
    with django_assert_num_queries(1):
        assert len(path.messages) == 2 * 30 + 2


async def test_a_branch_of_another_conversation_is_not_found(
    transactional_db: None, browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    elsewhere = await sync_to_async(turns.begin)(ada)
    for branch in ("99999", str(elsewhere.branch_id)):
        assert (await adas.get(f"/conversations/{conversation.pk}/?branch={branch}")).status_code == 404
        assert (await adas.say(conversation, "Hello", branch=branch)).status_code == 404
        tab = await adas.load(conversation)
        tab.page.one("[data-socket]").set("data-socket", f"/ws/conversations/{conversation.pk}/?branch={branch}")
        assert not await tab.connect()


async def test_people_on_two_branches_do_not_hear_each_other(
    transactional_db: None,
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
) -> None:
    server.say("Yes.")
    first = await aadd_exchange(conversation, ada, "One?", "First.", model)
    forked = await afork(first, model)
    await conversation.generations.aupdate(state="complete")
    old, new = await (await browser(ada)).load(conversation), await (await browser(ben)).load(conversation)
    old = await load_page(old.browser, f"/conversations/{conversation.pk}/?branch={first.branch_id}")
    for tab in (old, new):
        assert await tab.connect()
    await ask_and_wait(old, conversation, "On the old?")
    assert prompt_texts(server) == ["One?", "First.", "On the old?"]
    await ask_and_wait(new, conversation, "On the new?")
    for tab in (old, new):
        await tab.settle()
    assert "On the new?" not in texts(old.page) and "On the old?" not in texts(new.page)
    assert (await last_reply(conversation)).message.branch_id == forked.pk


async def test_a_conversation_opens_on_the_branch_last_spoken_on(
    transactional_db: None, browser: Opening, ada: User, conversation: Conversation
) -> None:
    first = await aadd_exchange(conversation, ada, "One?", "First.")
    await afork(first, None)
    adas = await browser(ada)
    assert texts((await adas.load(conversation)).page) == ["One?", ""]
    await aadd_exchange(conversation, ada, "Two?", "Second.", branch=first.branch_id)
    assert texts((await adas.load(conversation)).page) == ["One?", "First.", "Two?", "Second."]
