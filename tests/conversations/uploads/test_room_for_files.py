"""How much room a person's files may take up."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Attachment, Conversation
from conversations.verbs import forking
from tests.conversations.asking import Opening
from tests.conversations.attaching import attached, refusals, send, stored, upload

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_file_that_has_no_room_is_refused_with_the_limit_and_what_is_taken(
    browser: Opening, ada: User, ben: User, conversation: Conversation, settings: Any
) -> None:
    settings.ATTACHMENTS_PER_PERSON = 5000
    adas = await browser(ada)
    await attached(adas, conversation, "first.txt", b"a" * 3000)
    answer = await upload(adas, None, ("second.txt", b"b" * 2001))
    [refusal] = refusals(answer)
    assert refusal.replace("\N{NO-BREAK SPACE}", " ") == (
        "“second.txt” was not attached: your files use 3 kB of 5 kB. Ask an administrator for more space, "
        "or delete messages with files: their space is free after 30 days."
    )
    assert (answer.status_code, len(stored(settings))) == (422, 1)
    await attached(adas, None, "third.txt", b"c" * 2000)
    # Somebody else has room of their own.
    await attached(await browser(ben), conversation, "bens.txt", b"d" * 5000)
    assert refusals(await upload(adas, None, ("fourth.txt", b"e")))


async def test_a_file_that_is_sent_or_copied_counts_once(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    settings.ATTACHMENTS_PER_PERSON = 5000
    adas = await browser(ada)
    file = await attached(adas, conversation, "first.txt", b"a" * 3000)
    assert (await send(adas, conversation, "Look", file)).status_code == 201
    last = await conversation.messages.select_related("conversation", "branch").order_by("pk").alast()
    await sync_to_async(forking.fork)(last, ada)
    assert await Attachment.objects.filter(owner=ada).acount() == 2
    await attached(adas, conversation, "second.txt", b"b" * 2000)


async def test_what_was_taken_back_leaves_its_room(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    settings.ATTACHMENTS_PER_PERSON = 5000
    adas = await browser(ada)
    file = await attached(adas, conversation, "first.txt", b"a" * 5000)
    assert (await adas.post(f"/attachments/{file.uuid}/remove/")).status_code == 204
    await attached(adas, conversation, "second.txt", b"b" * 5000)
