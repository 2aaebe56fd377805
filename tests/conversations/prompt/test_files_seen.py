"""Files are given out to those who may see their conversation, and in a way that does no harm."""

from typing import Any

import pytest

from accounts.models import User
from conversations.models import Conversation
from tests import files
from tests.conversations.asking import Opening
from tests.conversations.attaching import attach, attach_and_send

pytestmark = pytest.mark.django_db(transaction=True)


async def test_files_are_for_those_who_see_the_conversation(
    browser: Opening, ada: User, ben: User, mallory: User, root: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    draft = await attach(adas, conversation, "draft.png", files.image())
    first_page = await attach(adas, None, "first.png", files.image())
    shown = await attach_and_send(browser, ada, conversation, "sent.png", files.image())
    for person, seen in ((ada, {draft, first_page, shown}), (ben, {shown}), (mallory, set()), (root, set())):
        who = await browser(person)
        for file in (draft, first_page, shown):
            for part in ("", "thumbnail/"):
                answer = await who.get(f"/attachments/{file.uuid}/{part}")
                assert answer.status_code == (200 if file in seen else 404), (person, file, part)
    assert (await (await browser(None)).get(f"/attachments/{shown.uuid}/")).status_code == 302  # type: ignore[arg-type]


async def test_who_leaves_sees_them_no_more_and_a_browser_asks_each_time(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    file = await attach_and_send(browser, ada, conversation, "sent.png", files.image())
    bens = await browser(ben)
    answer = await bens.get(f"/attachments/{file.uuid}/")
    assert answer.headers["cache-control"] == "private, no-cache"
    known = {"if-none-match": answer.headers["etag"]}
    assert (await bens.get(f"/attachments/{file.uuid}/", **known)).status_code == 304
    await conversation.participants.filter(user=ben).adelete()
    assert (await bens.get(f"/attachments/{file.uuid}/", **known)).status_code == 404


async def test_files_are_given_out_so_that_a_browser_does_nothing_with_them(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    for name, content, how, media_type in (
        ("Grüße.pdf", files.pdf("Words"), "attachment", "application/pdf"),
        ("a.md", b"# Words", "attachment", "text/plain; charset=utf-8"),
        ("a.png", files.image(), "inline", "image/png"),
    ):
        file = await attach(adas, conversation, name, content)
        headers = (await adas.get(f"/attachments/{file.uuid}/")).headers
        assert headers["content-disposition"].startswith(f"{how};")
        assert headers["content-type"] == media_type
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_with_a_deleted_message_its_files_are_out_of_reach_at_once(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    file = await attach_and_send(browser, ada, conversation, "sent.png", files.image())
    adas = await browser(ada)
    await adas.post(f"/conversations/{conversation.pk}/messages/{file.message_id}/delete/")
    assert (await adas.get(f"/attachments/{file.uuid}/")).status_code == 404
    await adas.post(f"/conversations/{conversation.pk}/messages/{file.message_id}/restore/")
    assert (await adas.get(f"/attachments/{file.uuid}/")).status_code == 200
    await adas.post(f"/conversations/{conversation.pk}/delete/")
    assert (await adas.get(f"/attachments/{file.uuid}/thumbnail/")).status_code == 404
