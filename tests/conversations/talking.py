"""Talk that has branches: what is said and answered, what is done with a message, and what its versions are."""

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


async def answered(tab: Viewer, conversation: Conversation, text: str, **fields: object) -> Generation:
    """Somebody speaks where their tab is, and reads the answer to its end."""
    await tab.browser.say(conversation, text, branch=branch_of(tab.page), **fields)
    await tab.until_over((await last_reply(conversation)).message_id)
    return await last_reply(conversation)


async def until_it_says(tab: Viewer, message: int, text: str) -> None:
    """Reads until a message says this and is over."""
    await tab.until(lambda page: page.has(message) and page.text(message) == text)
    await tab.until_over(message)


async def act(browser: Browser, conversation: Conversation, message: int, verb: str, **fields: object) -> Response:
    """What a button under a message does."""
    return await browser.post(f"/conversations/{conversation.pk}/messages/{message}/{verb}/", **fields)


async def follow(browser: Browser, answer: Response) -> Viewer:
    """Goes where an answer leads, and opens the socket there."""
    tab = await shown(browser, answer.headers["hx-redirect"])
    assert await tab.connect()
    return tab


async def shown(browser: Browser, address: str) -> Viewer:
    page = await browser.get(address)
    assert page.status_code == 200, page.status_code
    return browser.tab(Page(page.text))


def branch_of(page: Page) -> str:
    """The branch that the page shows, and that its composer speaks on."""
    branch: str = page.one("#composer [name=branch]").get("value")
    return branch


def place_of(page: Page, message: int) -> str:
    """ "1/2": which of its versions a message is; empty when there is only one."""
    return "".join(words(place) for place in page.find(f"#m{message} .versions-place"))


def neighbours(page: Page, message: int) -> dict[str, str]:
    """Where the arrows at a message's versions lead, by their labels."""
    return {link.get("aria-label"): link.get("href") for link in page.find(f"#m{message} .versions a")}


def offers(page: Page, message: int) -> set[str]:
    """The labels of what can be done with a message."""
    return {button.get("aria-label") for button in page.find(f"#m{message} .message-actions > *")} - {None}


def texts(page: Page) -> list[str]:
    """What everybody says, from top to bottom."""
    return [page.text(message) for message in page.messages]


def told(server: ModelServer) -> list[str]:
    """What the model was told with the latest request, each message's text."""
    return [
        message["content"] if isinstance(message["content"], str) else message["content"][-1]["text"]
        for message in server.requests[-1].json["messages"]
    ]


def exchange(path: Path, author: User, question: str, answer: str, model: ChatModel | None = None) -> Message:
    """A question and its complete answer, in the database at once; returns the answer."""
    generation = add_turn(path, author, question, model)
    Generation.objects.filter(pk=generation.pk).update(state="complete")
    Message.objects.filter(pk=generation.message_id).update(blocks=[text_block(answer)])
    return Message.objects.get(pk=generation.message_id)


aexchange = sync_to_async(exchange)
