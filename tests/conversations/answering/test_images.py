"""Images that a model answers with are stored, shown, and sent to the next model. What cannot be shown is named."""

import asyncio
import json
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from PIL.PngImagePlugin import PngInfo

from accounts.models import User
from conversations.answering import images as images_module
from conversations.models import Attachment, Conversation, Generation, State
from tests import files
from tests.conversations.answering.drawing import blocks, draw, drawing, entry
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.conversations.attaching import stored_files
from tests.conversations.talking import act, ask_and_wait, follow
from tests.fakes import ModelServer
from tests.pages import words
from tests.steps import Abort, Hang
from tests.viewers import PATIENCE, Viewer
from tests.wires import chat_chunk, reply_wire
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

PNG = files.image(size=(600, 300))
JPEG = files.image("JPEG", (30, 20))
CHAT = pytest.mark.parametrize("either_server", [ProtocolName.OPENAI], indirect=True)


@pytest.fixture
async def tab(browser: Opening, ada: User, conversation: Conversation, either_model: ChatModel) -> Viewer:
    return await (await browser(ada)).open(conversation)


def kinds(reply: Generation) -> list[str]:
    return [block["type"] for block in reply.message.blocks]


def images(tab: Viewer) -> list[Any]:
    return tab.page.find(".answered-image img")


def in_order(tab: Viewer, reply: Generation) -> list[str]:
    """The parts of the answer on the page, from top to bottom: texts, and the names of images."""
    body = tab.page.one(f"#m{reply.message_id}-body")
    return [words(part) or part.find("img").get("alt") for part in body]


async def ask(tab: Viewer, text: str = "Draw") -> Generation:
    conversation = await Conversation.objects.alatest("pk")
    return await ask_and_wait(tab, conversation, text)


def stream_deltas(server: ModelServer, *deltas: dict[str, Any]) -> None:
    server.stream(*map(chat_chunk, deltas), chat_chunk({}, "stop"), "data: [DONE]\n\n")


# What people see


async def test_an_image_is_shown_in_its_place_as_soon_as_it_is_complete(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, ada: User
) -> None:
    either_server.stream(*drawing(either_server.protocol, ["Here:", PNG, "Nice?"], has_end=False), Hang())
    await tab.browser.say(conversation, "Draw")
    await tab.until(lambda page: page.find(".answered-image"))
    reply = await last_reply(conversation)
    assert (reply.state, tab.page.state(reply.message_id)) == (State.RUNNING, "running")
    await tab.until(lambda page: "Nice?" in page.text(reply.message_id))
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until_over(reply.message_id)
    assert in_order(tab, reply) == ["Here:", "Image 1.png", "Nice?"]
    [image] = images(tab)
    assert (image.get("width"), image.get("height"), image.get("alt")) == ("480", "240", "Image 1.png")
    stored = await Attachment.objects.select_related("owner").aget()
    assert (stored.message_id, stored.owner, stored.kind, stored.width) == (reply.message_id, ada, "image", 600)
    assert "base64" not in json.dumps((await last_reply(conversation)).message.blocks)
    assert in_order(await tab.browser.load(conversation), reply) == ["Here:", "Image 1.png", "Nice?"]


async def test_the_image_is_redrawn_and_only_members_get_it(
    tab: Viewer, browser: Opening, ben: User, mallory: User, either_server: ModelServer
) -> None:
    secret = PngInfo()
    secret.add_text("Place", "Secret")
    draw(either_server, files.image(size=(600, 300), pnginfo=secret))
    await ask(tab)
    [link] = tab.page.find(".answered-image")
    served = await (await browser(ben)).get(link.get("href"))
    assert (served.status_code, served.headers["content-type"]) == (200, "image/png")
    assert b"Secret" not in served.content and files.decode(served.content).size == (600, 300)
    assert served.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert served.headers["x-content-type-options"] == "nosniff"
    for address in (link.get("href"), link.find("img").get("src")):
        assert (await (await browser(mallory)).get(address)).status_code == 404


async def test_an_answer_of_an_image_alone_is_complete(tab: Viewer, either_server: ModelServer) -> None:
    draw(either_server, JPEG)
    reply = await ask(tab)
    assert (reply.state, kinds(reply)) == (State.COMPLETE, ["image"])
    [image] = images(tab)
    assert (image.get("width"), image.get("height")) == ("30", "20")


@CHAT
async def test_an_image_url_that_arrives_in_pieces_is_shown(tab: Viewer, either_server: ModelServer) -> None:
    url = "data:image/jpeg;base64," + files.to_base64(JPEG)
    pieces = [url[at : at + 100] for at in range(0, len(url), 100)]
    stream_deltas(either_server, *({"images": [{"index": 0, "image_url": {"url": piece}}]} for piece in pieces))
    assert kinds(await ask(tab)) == ["image"]


@CHAT
@pytest.mark.parametrize(
    "written",
    [
        lambda data: data.replace("+", "-").replace("/", "_"),
        lambda data: data.rstrip("="),
        lambda data: data.replace("+", "%2B").replace("=", "%3D"),
        lambda data: "\n".join(data[at : at + 76] for at in range(0, len(data), 76)),
    ],
)
async def test_every_spelling_of_base64_is_read(tab: Viewer, either_server: ModelServer, written: Any) -> None:
    stream_deltas(
        either_server, {"images": [{"image_url": "data:image/jpeg;base64," + written(files.to_base64(JPEG))}]}
    )
    assert kinds(await ask(tab)) == ["image"]


# What cannot be shown


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (SVG, "is not a JPEG, PNG, GIF or WebP image."),
        (files.pdf("Page"), "is not a JPEG, PNG, GIF or WebP image."),
        (b"\xff\xfe\x00 words", "is not a JPEG, PNG, GIF or WebP image."),
        (files.png_that_claims(30_000, 30_000), "has too many pixels (30,000 × 30,000; limit 50 million)."),
        (PNG[:60], "is damaged and cannot be read."),
        (b"", "is empty."),
        (PNG + bytes(300_000), "is too large (340 kB; limit 300 kB)."),
    ],
    ids=["svg", "pdf", "text", "bomb", "cut", "empty", "too large"],
)
async def test_what_is_no_image_that_we_accept_is_named_with_the_reason(
    tab: Viewer, either_server: ModelServer, settings: Any, content: bytes, reason: str
) -> None:
    settings.ATTACHMENT_SIZE = 300_000
    draw(either_server, "Here:", content, "Nice?")
    reply = await ask(tab)
    assert reply.state == State.COMPLETE
    said = tab.page.text(reply.message_id)
    assert said.startswith("Here: An image was left out: “Image 1” ") and said.endswith("Nice?")
    assert reason.partition("(")[0] in said and reason.rpartition(";")[2] in said
    assert not images(tab) and not stored_files(settings) and not await Attachment.objects.aexists()


@CHAT
@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"image_url": {"url": "data:image/png;base64,%%%"}}, "“Image 1” is damaged"),
        ({"image_url": {"url": "data:image/png;base64,ab\N{GREEK SMALL LETTER ALPHA}d"}}, "“Image 1” is damaged"),
        ({"image_url": {"url": "data:image/svg+xml,<svg/>"}}, "“Image 1” is empty"),
        ({"image_url": {"url": "data:"}}, "“Image 1” is empty"),
        ({"image_url": {"url": "words that are read as base64"}}, "“Image 1” is not a JPEG"),
        ({"image_url": {"url": float("nan")}}, "It cannot be shown here."),
        ({"image_url": {"url": "\ud83d"}}, "“Image 1” is damaged"),
        ({"image_url": {"url": "javascript:alert(1)"}}, "It cannot be shown here."),
    ],
)
async def test_strange_values_do_not_cost_the_answer(
    tab: Viewer, either_server: ModelServer, image: dict[str, Any], said: str
) -> None:
    stream_deltas(either_server, {"content": "Here:", "images": [image]}, {"content": "Nice?"})
    reply = await ask(tab)
    text = tab.page.text(reply.message_id)
    assert reply.state == State.COMPLETE and not images(tab)
    assert text.startswith("Here:") and said in text and text.endswith("Nice?")


@pytest.mark.parametrize("either_server", [ProtocolName.ANTHROPIC], indirect=True)
@pytest.mark.parametrize(
    "source", [None, [], {"type": "base64"}, {"type": "base64", "data": 3}, {"type": "file", "file_id": "f"}]
)
async def test_an_image_block_without_data_is_named(tab: Viewer, either_server: ModelServer, source: Any) -> None:
    wire = [json.dumps(source).encode()]
    [start, begun, stop] = blocks([PNG])
    data = begun.index(b'"source": ') + len(b'"source": ')
    begun = begun[:data] + wire[0] + b"}}\n\n"
    server_end = reply_wire(ProtocolName.ANTHROPIC, [])[-2:]
    either_server.stream(start, begun, stop, *server_end)
    reply = await ask(tab)
    assert reply.state == State.COMPLETE
    assert tab.page.text(reply.message_id) == "An image came with this answer. It cannot be shown here."


@CHAT
async def test_an_image_elsewhere_is_a_link_that_nobody_follows_unasked(
    tab: Viewer, either_server: ModelServer
) -> None:
    with ModelServer("openai") as elsewhere:
        url = f"{elsewhere.url}/cat.png?*a*=_b_"
        stream_deltas(either_server, {"content": "Here:", "images": [{"image_url": {"url": url}}]})
        reply = await ask(tab)
        assert "it is stored on another server" in tab.page.text(reply.message_id)
        [link] = tab.page.find(f"#m{reply.message_id}-body a")
        assert (link.get("href"), words(link)) == (url, url)
        assert not tab.page.find(f"#m{reply.message_id}-body img") and not elsewhere.requests


@CHAT
@pytest.mark.parametrize("address", ["https://a b/c.png", "https://x/><img src=x>", "https://x/" + 3000 * "a"])
async def test_a_hostile_address_is_no_link(tab: Viewer, either_server: ModelServer, address: str) -> None:
    stream_deltas(either_server, {"images": [{"image_url": {"url": address}}]})
    reply = await ask(tab)
    assert tab.page.text(reply.message_id) == "An image was left out: it is stored on another server."
    assert not tab.page.find(f"#m{reply.message_id}-body :is(a, img)")


@CHAT
async def test_ten_thousand_images_are_no_more_than_ten(tab: Viewer, either_server: ModelServer) -> None:
    small = entry(files.image("PNG", (3, 2)))
    stream_deltas(either_server, {"images": [small] * 10_000}, {"content": "Enough?"})
    reply = await ask(tab)
    assert kinds(reply) == [*["image"] * 10, "text", "text"]
    more = "More images came with this answer. It can have at most 10."
    assert tab.page.text(reply.message_id) == f"{more} Enough?"
    assert await Attachment.objects.acount() == 10


async def test_images_count_to_the_space_of_the_person_who_asked(
    tab: Viewer, either_server: ModelServer, settings: Any
) -> None:
    draw(either_server, PNG, files.image("PNG", (900, 300)))
    settings.ATTACHMENTS_PER_PERSON = len(PNG) + 100
    reply = await ask(tab)
    assert "“Image 2” was not attached: the files of the person who asked use" in tab.page.text(reply.message_id)
    assert await Attachment.objects.acount() == 1 and len(stored_files(settings)) == 2


# Answers that are cut off


async def test_an_answer_that_breaks_off_keeps_its_image(
    tab: Viewer, either_server: ModelServer, conversation: Conversation
) -> None:
    either_server.stream(*drawing(either_server.protocol, ["Here:", PNG], has_end=False), Abort())
    reply = await ask(tab)
    assert (reply.state, kinds(reply)) == (State.INTERRUPTED, ["text", "image"])
    assert in_order(tab, reply) == ["Here:", "Image 1.png"]
    either_server.forget()
    draw(either_server, "More.", JPEG)
    await act(tab.browser, conversation, reply.message_id, "continuations")
    await tab.until(lambda page: page.state(reply.message_id) == "complete")
    assert in_order(tab, reply) == ["Here:", "Image 1.png", "More.", "Image 2.jpg"]


@CHAT
async def test_a_stop_keeps_the_image_that_is_being_stored_and_what_followed(
    tab: Viewer, either_server: ModelServer, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, may_go_on = asyncio.Event(), threading.Event()
    loop, save = asyncio.get_running_loop(), images_module.save_image

    def save_later(*arguments: Any) -> Attachment:
        loop.call_soon_threadsafe(has_begun.set)
        assert may_go_on.wait(PATIENCE)
        return save(*arguments)

    monkeypatch.setattr(images_module, "save_image", save_later)
    wire = b"".join(drawing(ProtocolName.OPENAI, ["Here:", PNG, "Nice?"], has_end=False))
    either_server.stream(wire, Hang())
    await tab.browser.say(conversation, "Draw")
    reply = await last_reply(conversation)
    # The page shows what precedes the image while it is stored.
    await tab.until_text(reply.message_id, "Here:")
    await asyncio.wait_for(has_begun.wait(), PATIENCE)
    # The second time, as the next look into the database does.
    for _ in range(2):
        await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    may_go_on.set()
    await tab.until_over(reply.message_id)
    reply = await last_reply(conversation)
    assert (reply.state, kinds(reply)) == (State.STOPPED, ["text", "image", "text"])


# What follows


async def test_the_next_model_that_sees_images_gets_it_from_the_person(
    tab: Viewer, either_server: ModelServer, either_model: ChatModel, conversation: Conversation
) -> None:
    await ChatModel.objects.aupdate(sees_images=True)
    draw(either_server, "Here:", PNG)
    either_server.say("Blue.")
    await ask(tab)
    reply = await ask(tab, "Make it blue")
    stored = await Attachment.objects.aget()
    data = files.to_base64(await sync_to_async(stored.read_content)())
    asked, answered, then = either_server.requests[-1].json["messages"]
    assert answered["role"] == "assistant" and "image" not in json.dumps(answered)
    assert [part["type"] for part in then["content"]][::2] == ["text", "text"]
    [above, image, words] = then["content"]
    assert (above["text"], words["text"]) == ("[Images in your answer above:]", "Make it blue")
    assert image["type"] in ("image", "image_url") and data in json.dumps(image)
    assert reply.notes == []


async def test_a_model_that_sees_no_images_is_told_of_it(
    tab: Viewer, either_server: ModelServer, conversation: Conversation
) -> None:
    await ChatModel.objects.aupdate(sees_images=False)
    draw(either_server, "Here:", PNG)
    either_server.say("Blue.")
    await ask(tab)
    reply = await ask(tab, "Make it blue")
    sent = json.dumps(either_server.requests[-1].json["messages"])
    assert "[An image, Image 1.png, is not shown to you.]" in sent and "base64" not in sent
    assert "An image was left out" in reply.notes[0]


async def test_another_provider_gets_the_image_too(
    tab: Viewer, either_server: ModelServer, conversation: Conversation
) -> None:
    draw(either_server, PNG)
    await ask(tab)
    with ModelServer("openai") as other:
        model = await sync_to_async(provider_at)(other, "Other", sees_images=True)
        other.say("A cat.")
        await ask_and_wait(tab, conversation, "What is it?", chat_model=model.pk)
        [message] = other.requests[-1].json["messages"]
        assert [part["type"] for part in message["content"]] == ["text", "text", "image_url", "text"]


async def test_a_copy_of_the_conversation_has_the_image_and_a_deleted_answer_hides_it(
    tab: Viewer, either_server: ModelServer, conversation: Conversation, settings: Any
) -> None:
    draw(either_server, "Here:", PNG)
    reply = await ask(tab)
    [link] = tab.page.find(".answered-image")
    fork = await follow(tab.browser, await act(tab.browser, conversation, reply.message_id, "forks"))
    [copied] = fork.page.find(".answered-image")
    assert copied.get("href") != link.get("href")
    await act(tab.browser, conversation, reply.message_id, "delete")
    assert (await tab.browser.get(link.get("href"))).status_code == 404
    assert (await tab.browser.get(copied.get("href"))).status_code == 200
