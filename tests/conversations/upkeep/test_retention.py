"""What was deleted can be restored for a while; then it is purged, a little at a time."""

from datetime import timedelta
from pathlib import Path as Directory
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.test import Client
from django.utils.timezone import now

from accounts.models import User
from conversations.models import Attachment, Branch, Conversation, Generation, Message, Participant, Path, Unsent
from conversations.upkeep import retention, watch
from conversations.verbs import turns
from tests.conversations.asking import Opening
from tests.conversations.attaching import attach, stored_files
from tests.conversations.talking import aadd_exchange, add_exchange, load_page, place_of, texts
from tests.conversations.trees import FOREST, fork, grow
from tests.viewers import Browser
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)


def days_ago(days: float) -> Any:
    return now() - timedelta(days=days)


def purge_all() -> int:
    """Returns the number of steps."""
    for step in range(200):
        if not retention.purge():
            return step
    raise AssertionError("there is no end to it")


def rows() -> dict[str, int]:
    """The number of rows in each table of conversations, unless it is empty."""
    tables = apps.get_app_config("conversations").get_models()
    return {table.__name__: table._default_manager.count() for table in tables if table._default_manager.exists()}


def test_a_conversation_deleted_long_ago_is_purged_with_everything_in_it(
    ada: User, ben: User, conversation: Conversation, model: ChatModel
) -> None:
    kept = turns.begin(ada)
    add_exchange(Path.through(kept), ada, "Kept", "Kept, too", model)
    before = rows()
    before |= {"Branch": 1, "Conversation": 1, "Participant": 1}
    grow(conversation, ada, 3, model)
    fork(conversation.messages.filter(role="assistant").latest("pk"), model)
    Unsent.objects.create(person=ben, conversation=conversation, text="Half a secret")
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=days_ago(29))
    assert purge_all() == 0
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=days_ago(31))
    count = conversation.messages.count()
    assert purge_all() == count // 2 + 1
    assert rows() == before
    assert {row.conversation_id for row in (*Message.objects.all(), *Participant.objects.all())} == {kept.pk}


async def test_its_files_are_purged_too(browser: Opening, ada: User, conversation: Conversation, settings: Any) -> None:
    adas = await browser(ada)
    other = await sync_to_async(turns.begin)(ada)
    kept = await attach(adas, other, "kept.md", b"Words")
    await said_with_file(adas, conversation)
    await attach(adas, conversation, "never sent.md", b"Words")
    await Conversation.objects.filter(pk=conversation.pk).aupdate(deleted_at=days_ago(31))
    await sync_to_async(purge_all)()
    assert [path.name for path in stored_files(settings)] == [Directory(kept.stored).name]


async def said_with_file(browser: Browser, conversation: Conversation) -> Message:
    file = await attach(browser, conversation, "sent.md", b"Words")
    await browser.say(conversation, "Look", attached=str(file.uuid))
    return await Message.objects.aget(attachments=file)


async def test_a_purged_message_is_empty_and_the_messages_after_it_stay(
    browser: Opening, ada: User, conversation: Conversation, settings: Any, model: ChatModel
) -> None:
    adas = await browser(ada)
    said = await said_with_file(adas, conversation)
    await conversation.generations.aupdate(state="complete")
    answer = await Message.objects.aget(parent=said)
    last = await aadd_exchange(conversation, ada, "And then?", "Then this.")
    await Message.objects.filter(pk__in=[said.pk, answer.pk]).aupdate(deleted_at=days_ago(31))
    await sync_to_async(purge_all)()
    for message in (said, answer):
        await message.arefresh_from_db()
        assert (message.blocks, message.author_id, message.key) == ([], None, None)
    assert await Generation.objects.acount() == 1
    assert await Attachment.objects.acount() == 0 and list(stored_files(settings)) == []
    page = (await adas.load(conversation)).page
    assert texts(page) == ["And then?", "Then this."]
    # The empty messages go together with the last message that follows them.
    await Message.objects.filter(pk__in=[last.pk, last.parent_id]).aupdate(deleted_at=days_ago(31))
    await sync_to_async(purge_all)()
    assert await Message.objects.acount() == 0
    answer_to_more = await aadd_exchange(conversation, ada, "Hello again", "Hello.")
    assert (await adas.load(conversation)).page.messages == [answer_to_more.parent_id, answer_to_more.pk]


async def test_a_purged_version_still_leads_to_the_others(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    first = await aadd_exchange(conversation, ada, "Well?", "Yes.")
    branch = await sync_to_async(fork)(first, None)
    second = await branch.messages.aget()
    await conversation.generations.aupdate(state="complete")
    await Message.objects.filter(pk=second.pk).aupdate(deleted_at=days_ago(31))
    await sync_to_async(purge_all)()
    adas = await browser(ada)
    there = await load_page(adas, f"/conversations/{conversation.pk}/?branch={branch.pk}")
    assert there.page.state(second.pk) == "deleted"
    assert place_of(there.page, second.pk) == "1 left"


async def test_a_purged_fork_still_leads_to_its_branches(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    for number in (1, 2):
        answer = await aadd_exchange(conversation, ada, f"Q{number}", f"A{number}")
    other = await sync_to_async(fork)(answer, None)
    await conversation.generations.aupdate(state="complete")
    await conversation.messages.filter(pk__gte=answer.parent_id).aupdate(deleted_at=days_ago(31))
    await sync_to_async(purge_all)()
    adas = await browser(ada)
    for address in ("", f"?branch={other.pk}"):
        assert texts((await load_page(adas, f"/conversations/{conversation.pk}/{address}")).page) == ["Q1", "A1"]


@pytest.mark.parametrize("seed", FOREST)
def test_messages_that_are_not_deleted_keep_their_places(
    ada: User, conversation: Conversation, model: ChatModel, seed: int
) -> None:
    chance = grow(conversation, ada, seed, model)
    for message in conversation.messages.all():
        if chance.random() < 0.5:
            Message.objects.filter(pk=message.pk).update(deleted_at=days_ago(chance.choice([1, 31])))
    old = conversation.messages.filter(deleted_at__lt=days_ago(30))
    others = set(conversation.messages.exclude(pk__in=old).values_list("pk", flat=True))

    def read() -> list[tuple[int, list[int]]]:
        branches = Branch.objects.filter(conversation=conversation).order_by("pk")
        return [(branch.pk, [message.pk for message in Path.to(branch).messages]) for branch in branches]

    before = read()
    purge_all()
    after = dict(read())
    assert all(after[pk] == messages for pk, messages in before if messages or pk in after)
    assert others <= set(conversation.messages.values_list("pk", flat=True))
    assert not any(message.blocks for message in old.all())
    assert purge_all() == 0


def test_nothing_can_be_restored_after_its_time_even_before_the_purge(
    browser_of: Any, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    answer = add_exchange(Path.through(conversation), ada, "Well?", "Yes.", model)
    browser: Client = browser_of(ada)
    ways = (
        (Message, answer.pk, f"/conversations/{conversation.pk}/messages/{answer.pk}/restore/"),
        (Conversation, conversation.pk, f"/conversations/{conversation.pk}/restore/"),
    )
    for table, pk, address in ways:
        table.objects.filter(pk=pk).update(deleted_at=days_ago(31))
        assert browser.post(address).status_code == 404
        table.objects.filter(pk=pk).update(deleted_at=days_ago(29))
        assert browser.post(address).status_code == 302
        assert table.objects.get(pk=pk).deleted_at is None


async def test_the_purge_runs_by_itself(
    browser: Opening, ada: User, ben: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await aadd_exchange(conversation, ada, "Well?", "Yes.")
    await Conversation.objects.filter(pk=conversation.pk).aupdate(deleted_at=days_ago(31))
    monkeypatch.setattr(watch, "INTERVAL", 0.01)
    watch.local.start()
    other = await sync_to_async(turns.begin)(ada)
    tab = await (await browser(ada)).open(other)
    while await Conversation.objects.filter(pk=conversation.pk).aexists():
        await tab.settle()
    assert await Message.objects.acount() == 0


async def test_a_turn_after_a_deleted_message_survives_its_purge(
    browser: Opening, ada: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await aadd_exchange(conversation, ada, "Well?", "Yes.")
    await Message.objects.filter(pk=answer.pk).aupdate(deleted_at=days_ago(31))
    purge_ends = retention.purge_ends

    def spoken_first(messages: Any) -> None:
        add_exchange(Path.through(Conversation.objects.get(pk=conversation.pk)), ada, "Just now", "I hear.")
        purge_ends(messages)

    monkeypatch.setattr(retention, "purge_ends", spoken_first)
    assert await sync_to_async(retention.purge)()
    assert texts((await (await browser(ada)).load(conversation)).page) == ["Well?", "Just now", "I hear."]
