"""Acts in conversations with branches, and reads what the page shows of them."""

from asgiref.sync import sync_to_async
from httpx import Response

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Path
from conversations.models.message import text_block
from conversations.verbs.writing import add_turn
from tests.conversations.asking import last_reply
from tests.fakes import ModelServer
from tests.pages import Page, words
from tests.viewers import Browser, Viewer
from upstreams.models import ChatModel


async def ask_and_wait(tab: Viewer, conversation: Conversation, text: str, **fields: object) -> Generation:
    """Posts a turn on the branch in the tab. Returns the reply once the tab has read all of it."""
    await tab.browser.say(conversation, text, branch=branch_of(tab.page), **fields)
    await tab.until_over((await last_reply(conversation)).message_id)
    return await last_reply(conversation)


async def until_it_says(tab: Viewer, message: int, text: str) -> None:
    """Reads until a message has this text and its answer has ended."""
    await tab.until_text(message, text)
    await tab.until_over(message)


async def act(browser: Browser, conversation: Conversation, message: int, verb: str, **fields: object) -> Response:
    """Posts the action of a button under a message."""
    return await browser.post(f"/conversations/{conversation.pk}/messages/{message}/{verb}/", **fields)


async def retry_and_read(tab: Viewer, conversation: Conversation, message: int, text: str) -> Viewer:
    """Retries an answer and reads until the new one has this text and has ended. Returns the tab on its branch."""
    new = await follow(tab.browser, await act(tab.browser, conversation, message, "retries"))
    await until_it_says(new, (await last_reply(conversation)).message_id, text)
    return new


async def follow(browser: Browser, answer: Response) -> Viewer:
    """Follows the redirect of an answer and opens the socket of the new page."""
    tab = await load_page(browser, answer.headers["hx-redirect"])
    assert await tab.connect()
    return tab


async def load_page(browser: Browser, address: str) -> Viewer:
    page = await browser.get(address)
    assert page.status_code == 200, page.status_code
    return browser.tab(Page(page.text))


async def read_page(browser: Browser, conversation: Conversation | None = None) -> Page:
    """The page of a conversation, or the home page, without its socket."""
    return Page((await browser.get(f"/conversations/{conversation.pk}/" if conversation else "/")).text)


def branch_of(page: Page) -> str:
    """The branch that the page shows and its composer posts to."""
    branch: str = page.one("#composer [name=branch]").get("value")
    return branch


def place_of(page: Page, message: int) -> str:
    """Which version a message is, such as "1/2". Empty if it has only one."""
    return "".join(words(place) for place in page.find(f"#m{message} .versions-place"))


def version_links(page: Page, message: int) -> dict[str, str]:
    """The links to a message's other versions, by their labels."""
    return {link.get("aria-label"): link.get("href") for link in page.find(f"#m{message} .versions a")}


def actions_of(page: Page, message: int) -> set[str]:
    """The labels of a message's actions."""
    return {button.get("aria-label") for button in page.find(f"#m{message} .message-actions > *")} - {None}


def texts(page: Page) -> list[str]:
    """The texts of all messages, from top to bottom."""
    return [page.text(message) for message in page.messages]


def prompt_texts(server: ModelServer) -> list[str]:
    """The texts of the messages in the latest request to the model."""
    return [
        message["content"] if isinstance(message["content"], str) else message["content"][-1]["text"]
        for message in server.requests[-1].json["messages"]
    ]


def add_exchange(path: Path, author: User, question: str, answer: str, model: ChatModel | None = None) -> Message:
    """Adds a question and its complete answer to the database. Returns the answer."""
    generation = add_turn(path, author, question, model)
    Generation.objects.filter(pk=generation.pk).update(state="complete")
    Message.objects.filter(pk=generation.message_id).update(blocks=[text_block(answer)])
    return Message.objects.get(pk=generation.message_id)


@sync_to_async
def aadd_exchange(
    conversation: Conversation,
    author: User,
    question: str,
    answer: str,
    model: ChatModel | None = None,
    branch: int | None = None,
) -> Message:
    """Like `add_exchange`, on a branch or the latest one."""
    return add_exchange(Path.through(conversation, branch), author, question, answer, model)
