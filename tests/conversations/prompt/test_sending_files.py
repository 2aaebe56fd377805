"""Files as models are sent them, byte for byte: to both protocols, and to models that take less."""

import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.storage import default_storage

from accounts.models import User
from chatsite.installation.uploads import read_uploads_url
from conversations.models import Attachment, Conversation
from tests import files
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.conversations.attaching import attach, send
from tests.conversations.talking import act, follow, until_it_says
from tests.fakes import ModelServer
from tests.object_store import ObjectStoreServer
from tests.viewers import Viewer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

PNG = files.image()
PDF = files.pdf("First page", "Second page")
CSV = "name,size\nÅsa,3\n".encode()


async def asked(
    opened: Opening, person: User, conversation: Conversation, text: str = "Look", **contents: bytes
) -> Viewer:
    """Files, named `kind__ending`, are sent with some words, and answered."""
    tab = await (await opened(person)).open(conversation)
    sent = [
        await attach(tab.browser, conversation, name.replace("__", "."), content) for name, content in contents.items()
    ]
    assert (await send(tab.browser, conversation, text, *sent)).status_code == 201
    await tab.until_over((await last_reply(conversation)).message_id)
    return tab


async def kept(name: str) -> str:
    """What is stored under a name, as it goes over the wire."""
    file = await Attachment.objects.aget(name=name)
    return files.to_base64(await sync_to_async(file.read_content)())


def raw(value: object) -> bytes:
    """As our client writes JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


async def test_messages_upstreams_are_sent_images_and_documents(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Seen.")
    await asked(browser, ada, conversation, image__png=PNG, report__pdf=PDF, data__csv=CSV)
    expected: list[dict[str, Any]] = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": await kept("image.png")}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": files.to_base64(PDF)},
            "title": "report.pdf",
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": CSV.decode()},
            "title": "data.csv",
        },
        {"type": "text", "text": "Look"},
    ]
    assert raw([{"role": "user", "content": expected}]) in server.requests[-1].body
    assert (await last_reply(conversation)).notes == []


async def test_chat_upstreams_are_sent_image_urls_and_labelled_texts(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    with ModelServer("openai") as server:
        await sync_to_async(provider_at)(server, sees_images=True)
        server.say("Seen.")
        tab = await asked(browser, ada, conversation, image__png=PNG, report__pdf=PDF, data__csv=CSV)
        expected: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{await kept('image.png')}"}},
            {"type": "text", "text": "report.pdf\n\nFirst page\n\nSecond page"},
            {"type": "text", "text": f"data.csv\n\n{CSV.decode()}"},
            {"type": "text", "text": "Look"},
        ]
        assert raw([{"role": "user", "content": expected}]) in server.requests[-1].body
    reply = await last_reply(conversation)
    assert reply.notes == ["“report.pdf” was sent as its text: Test model does not read PDF files."]
    assert reply.notes[0] in tab.page.article(reply.message_id)


async def test_chat_upstreams_that_read_pdf_are_sent_the_file(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    with ModelServer("openai") as server:
        await sync_to_async(provider_at)(server, reads_pdf=True)
        server.say("Read.")
        await asked(browser, ada, conversation, report__pdf=PDF)
        data = f"data:application/pdf;base64,{files.to_base64(PDF)}"
        part = {"type": "file", "file": {"filename": "report.pdf", "file_data": data}}
        assert raw([part, {"type": "text", "text": "Look"}]) in server.requests[-1].body


async def test_texts_alone_are_sent_as_one_string(browser: Opening, ada: User, conversation: Conversation) -> None:
    with ModelServer("openai") as server:
        await sync_to_async(provider_at)(server)
        server.say("Read.")
        await asked(browser, ada, conversation, data__csv=CSV)
        [message] = server.requests[-1].json["messages"]
    assert message["content"] == f"data.csv\n\n{CSV.decode()}\n\nLook"


async def test_a_pdf_without_words_is_said_to_have_none(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    with ModelServer("openai") as server:
        await sync_to_async(provider_at)(server)
        server.say("Nothing to read.")
        await asked(browser, ada, conversation, scan__pdf=files.pdf(""))
        assert "scan.pdf, has no readable text" in server.requests[-1].json["messages"][0]["content"]
    [note] = (await last_reply(conversation)).notes
    assert note == "“scan.pdf” was left out: Test model does not read PDF files, and this one has no text."


async def test_a_long_pdf_is_sent_as_its_first_part(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    settings.ATTACHMENT_TEXT_SIZE = 10
    with ModelServer("openai") as server:
        await sync_to_async(provider_at)(server)
        server.say("Read.")
        await asked(browser, ada, conversation, report__pdf=PDF)
        assert server.requests[-1].json["messages"][0]["content"] == "report.pdf\n\nFirst page\n\nLook"
    [note] = (await last_reply(conversation)).notes
    assert "the first part of its text" in note


async def test_a_model_that_cannot_see_is_refused_an_image_before_anything_is_sent(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    with ModelServer("openai") as server:
        blind = await sync_to_async(provider_at)(server)
        adas = await browser(ada)
        file = await attach(adas, conversation, "image.png", PNG)
        answer = await send(adas, conversation, "Look", file)
        assert answer.status_code == 422
        assert "Test model cannot see images. Choose another model, or remove them." in answer.text
        page = (await adas.load(conversation)).page
        assert page.find(f"option[value='{blind.pk}'][data-blind]")
        assert server.requests == []
    assert not await conversation.messages.aexists()


async def test_another_model_that_cannot_see_is_told_and_so_is_the_reader(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Seen.")
    tab = await asked(browser, ada, conversation, one__png=PNG, two__png=PNG)
    with ModelServer("openai") as other:
        blind = await sync_to_async(provider_at)(other, "Blind", name="Blind model")
        other.say("I cannot see it.")
        reply = (await last_reply(conversation)).message_id
        new = await follow(tab.browser, await act(tab.browser, conversation, reply, "retries", chat_model=blind.pk))
        await until_it_says(new, (await last_reply(conversation)).message_id, "I cannot see it.")
        [message] = other.requests[-1].json["messages"]
    left_out = [f"[An image, {name}.png, is not shown to you.]" for name in ("one", "two")]
    assert message["content"] == "\n\n".join([*left_out, "Look"])
    assert (await last_reply(conversation)).notes == ["2 images were left out: Blind model does not accept images."]


async def test_later_turns_begin_with_the_same_bytes(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Seen.")
    tab = await asked(browser, ada, conversation, image__png=PNG, report__pdf=PDF)
    await tab.browser.say(conversation, "And now?")
    await tab.until_over((await last_reply(conversation)).message_id)
    first, second = (request.body.partition(b'"messages":[')[2] for request in server.requests)
    # Up to the end of what was said first.
    said = first.removesuffix(b"]}")
    assert len(said) > 500 and second.startswith(said)


async def test_several_people_are_named_before_their_files(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Seen.")
    await asked(browser, ada, conversation, "Hello", image__png=PNG)
    await asked(browser, ben, conversation, "", data__csv=CSV)
    adas, _, bens = server.requests[-1].json["messages"]
    assert [block.get("text", block["type"]) for block in adas["content"]] == ["Ada Lovelace:", "image", "Hello"]
    assert [block.get("text", block["type"]) for block in bens["content"]] == ["Ben Okri:", "document"]


async def test_a_file_that_is_gone_is_said_to_be_gone(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Seen.")
    tab = await asked(browser, ada, conversation, image__png=PNG)
    file = await Attachment.objects.aget()
    await sync_to_async(default_storage.delete)(file.stored)
    await tab.browser.say(conversation, "And now?")
    await tab.until_over((await last_reply(conversation)).message_id)
    [first, *_] = server.requests[-1].json["messages"]
    assert first["content"][0] == {"type": "text", "text": "[A file, image.png, no longer exists.]"}
    assert (await last_reply(conversation)).notes == ["“image.png” was left out: the file no longer exists."]


async def test_a_file_whose_store_is_away_is_not_said_to_be_gone(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    settings: Any,
    tmp_path: Path,
) -> None:
    server.say("Seen.")
    with ObjectStoreServer() as store:
        storage, _ = read_uploads_url(store.url(), tmp_path)
        settings.STORAGES = settings.STORAGES | {"default": storage}
        tab = await asked(browser, ada, conversation, image__png=PNG)
        [image, _] = server.requests[-1].json["messages"][0]["content"]
        assert image["type"] == "image"
        store.fault = "SlowDown"
        await tab.browser.say(conversation, "And now?")
        await tab.until_over((await last_reply(conversation)).message_id)
    [first, *_] = server.requests[-1].json["messages"]
    assert first["content"][0] == {"type": "text", "text": "[A file, image.png, cannot be read at the moment.]"}
    [note] = (await last_reply(conversation)).notes
    assert note == "“image.png” was left out: it cannot be read at the moment. Try again later."


async def test_everybody_sees_the_files_of_a_turn_at_once(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Seen.")
    bens = await (await browser(ben)).open(conversation)
    await asked(browser, ada, conversation, image__png=files.image(size=(800, 300)), report__pdf=PDF)
    await bens.until(lambda page: page.find(".attached-image img"))
    thumbnail = bens.page.one(".attached-image img")
    assert (thumbnail.get("width"), thumbnail.get("height"), thumbnail.get("alt")) == ("320", "120", "image.png")
    assert (await bens.browser.get(thumbnail.get("src"))).status_code == 200
    assert "PDF · 2 pages" in bens.page.article(bens.page.messages[0])


async def test_a_page_with_many_images_takes_no_more_queries_than_one_without(
    browser: Opening, ada: User, conversation: Conversation, django_assert_max_num_queries: Any, browser_of: Any
) -> None:
    def queries() -> int:
        client = browser_of(ada)
        where = f"/conversations/{conversation.pk}/"
        client.get(where)
        with django_assert_max_num_queries(100) as counted:
            assert client.get(where).status_code == 200
        return len(counted)

    adas = await browser(ada)
    await send(adas, conversation, "Words only")
    without = await sync_to_async(queries)()
    for number in range(5):
        file = await attach(adas, conversation, f"{number}.png", PNG)
        await send(adas, conversation, "Look", file)
    assert await sync_to_async(queries)() == without
