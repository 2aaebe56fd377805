"""Stored files: they are deleted with their rows, and copies of a message share them."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils.timezone import now

from accounts.models import User
from conversations import uploads
from conversations.models import Attachment, Conversation
from conversations.verbs import turns
from tests import files
from tests.conversations.asking import Opening, last_reply
from tests.conversations.attaching import attach, attach_and_send, keys, refusals, stored_files, upload
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


def age_files(settings: Any, hours: int = 2) -> None:
    """Makes the stored files look this many hours old."""
    then = (now() - timedelta(hours=hours)).timestamp()
    for path in stored_files(settings):
        os.utime(path, (then, then))


async def test_files_that_were_never_sent_are_deleted(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    adas = await browser(ada)
    old, young = [await attach(adas, conversation, f"{name}.md", b"Words") for name in ("old", "young")]
    gone = await attach_and_send(browser, ada, conversation, "sent.md", b"Words")
    week = now() - timedelta(days=settings.ATTACHMENT_DRAFT_DAYS, minutes=1)
    await Attachment.objects.exclude(pk=young.pk).aupdate(created_at=week)
    age_files(settings)
    await sync_to_async(uploads.sweep)()
    assert {each.pk async for each in Attachment.objects.all()} == {young.pk, gone.pk}
    assert {path.name for path in stored_files(settings)} == {Path(each.stored).name for each in (young, gone)}
    assert old.stored not in {str(path) for path in stored_files(settings)}


async def test_files_are_deleted_with_their_conversation(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    await attach_and_send(browser, ada, conversation, "sent.png", files.image())
    other = await sync_to_async(turns.begin)(ada)
    kept = await attach_and_send(browser, ada, other, "kept.md", b"Words")
    await conversation.adelete()
    # A new file may not have its row yet.
    assert await sync_to_async(uploads.sweep)() == 0
    age_files(settings)
    assert await sync_to_async(uploads.sweep)() == 2
    assert [path.name for path in stored_files(settings)] == [Path(kept.stored).name]


async def test_an_edit_keeps_the_files_of_the_message(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel, settings: Any
) -> None:
    server.say("Seen.")
    tab = await (await browser(ada)).open(conversation)
    file = await attach_and_send(browser, ada, conversation, "one.png", files.image(), "What is this?")
    await tab.until_over((await last_reply(conversation)).message_id)
    before = server.requests[-1].json["messages"][0]["content"]
    await tab.browser.post(
        f"/conversations/{conversation.pk}/messages/{file.message_id}/edits/", text="What colour is this?"
    )
    reply = await last_reply(conversation)
    new = await (await browser(ada)).open(conversation)
    await new.until_over(reply.message_id)
    after = server.requests[-1].json["messages"][0]["content"]
    assert after == [before[0], {"type": "text", "text": "What colour is this?"}]
    copy = await Attachment.objects.exclude(pk=file.pk).aget()
    assert (copy.stored, copy.message_id) == (file.stored, new.page.messages[0])
    # The file stays until both are deleted.
    await sync_to_async(uploads.remove)([file])
    assert len(stored_files(settings)) == 2
    await sync_to_async(uploads.remove)([copy])
    assert stored_files(settings) == []


async def test_a_fork_has_the_files_for_its_owner(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    file = await attach_and_send(browser, ada, conversation, "one.png", files.image())
    bens = await browser(ben)
    answer = await bens.post(f"/conversations/{conversation.pk}/messages/{file.message_id}/forks/")
    fork = await Conversation.objects.alatest("pk")
    assert answer.headers["hx-redirect"] == f"/conversations/{fork.pk}/"
    copy = await Attachment.objects.aget(conversation=fork)
    await conversation.participants.filter(user=ben).adelete()
    assert (await bens.get(f"/attachments/{copy.uuid}/")).status_code == 200
    assert (await bens.get(f"/attachments/{file.uuid}/")).status_code == 404
    assert (await (await browser(ada)).get(f"/attachments/{copy.uuid}/")).status_code == 404
    assert str(copy.uuid) in (await bens.get(f"/conversations/{fork.pk}/")).text


async def test_files_uploaded_at_once_count_towards_the_limit(browser: Opening, ada: User, settings: Any) -> None:
    settings.ATTACHMENTS_PER_MESSAGE = 3
    answer = await upload(await browser(ada), None, *[(f"{number}.md", b"A") for number in range(5)])
    assert len(keys(answer)) == 3
    assert refusals(answer)[-1] == "“4.md” was not attached: at most 3 files per message."
