"""Attaches files to messages through the site's own views."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from accounts.models import User
from conversations.models import Attachment, Conversation
from tests.conversations.asking import Opening
from tests.pages import fragment, words
from tests.viewers import SITE, TOKEN, Browser

type Upload = tuple[str, bytes] | tuple[str, bytes, str]


async def upload(browser: Browser, conversation: Conversation | None, *files: Upload) -> httpx.Response:
    """Posts files as the composer's script does."""
    where = f"/conversations/{conversation.pk}/attachments/" if conversation else "/attachments/"
    return await post_files(browser, where, files, htmx=True)


async def post_files(browser: Browser, where: str, files: Any, htmx: bool = False, **fields: Any) -> httpx.Response:
    headers = {"x-csrftoken": TOKEN, "origin": SITE} | ({"hx-request": "true"} if htmx else {})
    return await browser.http.post(where, files=[("files", file) for file in files], data=fields, headers=headers)


async def attach(browser: Browser, conversation: Conversation | None, name: str, content: bytes) -> Attachment:
    """Uploads one file, which must be accepted."""
    answer = await upload(browser, conversation, (name, content))
    assert answer.status_code == 201, refusals(answer)
    [key] = keys(answer)
    return await Attachment.objects.aget(uuid=key)


async def send(
    browser: Browser, conversation: Conversation, text: str, *files: Attachment, **fields: Any
) -> httpx.Response:
    return await browser.say(conversation, text, attached=[str(each.uuid) for each in files], **fields)


async def attach_and_send(
    open_browser: Opening, person: User, conversation: Conversation, name: str, content: bytes, text: str = "Look"
) -> Attachment:
    """Uploads a file and sends it with a message."""
    browser = await open_browser(person)
    file = await attach(browser, conversation, name, content)
    assert (await send(browser, conversation, text, file)).status_code == 201
    return await Attachment.objects.select_related("message").aget(pk=file.pk)


def keys(answer: httpx.Response) -> list[UUID]:
    return [UUID(field.get("value")) for field in fragment(answer.text).cssselect("[name=attached]")]


def refusals(answer: httpx.Response) -> list[str]:
    return [words(line) for line in fragment(answer.text).cssselect("[data-refusal]")]


def stored_files(settings: Any) -> list[Path]:
    """All stored files."""
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
