"""The storage limit for a person's files."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Attachment, Conversation
from conversations.verbs import forking
from tests.conversations.asking import Opening
from tests.conversations.attaching import attach, refusals, send, stored_files, upload

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_file_over_the_storage_limit_is_refused_with_the_limit_and_the_usage(
    browser: Opening, ada: User, ben: User, conversation: Conversation, settings: Any
) -> None:
    settings.ATTACHMENTS_PER_PERSON = 5000
    adas = await browser(ada)
    await attach(adas, conversation, "first.txt", b"a" * 3000)
    answer = await upload(adas, None, ("second.txt", b"b" * 2001))
    [refusal] = refusals(answer)
    assert refusal.replace("\N{NO-BREAK SPACE}", " ") == (
        "“second.txt” was not attached: your files use 3 kB of 5 kB. Ask an administrator for more space, "
        "or delete messages with files: their space is free after 30 days."
    )
    assert (answer.status_code, len(stored_files(settings))) == (422, 1)
    await attach(adas, None, "third.txt", b"c" * 2000)
    # Everyone else has their own limit.
    await attach(await browser(ben), conversation, "bens.txt", b"d" * 5000)
    assert refusals(await upload(adas, None, ("fourth.txt", b"e")))


async def test_a_sent_or_copied_file_counts_once(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    settings.ATTACHMENTS_PER_PERSON = 5000
    adas = await browser(ada)
    file = await attach(adas, conversation, "first.txt", b"a" * 3000)
    assert (await send(adas, conversation, "Look", file)).status_code == 201
    last = await conversation.messages.select_related("conversation", "branch").order_by("pk").alast()
    await sync_to_async(forking.fork)(last, ada)
    assert await Attachment.objects.filter(owner=ada).acount() == 2
    await attach(adas, conversation, "second.txt", b"b" * 2000)


async def test_a_removed_file_frees_its_space(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    settings.ATTACHMENTS_PER_PERSON = 5000
    adas = await browser(ada)
    file = await attach(adas, conversation, "first.txt", b"a" * 5000)
    assert (await adas.post(f"/attachments/{file.uuid}/remove/")).status_code == 204
    await attach(adas, conversation, "second.txt", b"b" * 5000)
