"""A conversation of Ada and Ben, a model that answers in it, and an event loop that is left clean."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from chatsite.process import tasks
from conversations.answering import replies
from conversations.models import Conversation, Participant
from conversations.upkeep import watch
from conversations.verbs import turns
from tests.conversations.asking import Opening, provider_at
from tests.conversations.verbs.desk import Desk
from tests.fakes import ModelServer
from tests.tools.drawer import Drawer, running
from tests.viewers import Browser
from upstreams.client import LIMITS, close_transport, counting, stream_reply
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel

PAGE = 40
"""The number of rows of a list, or messages of a page, that load at once."""
QUICK = {"backoff": 0.001, "longest_wait": 0.01}


@pytest.fixture(autouse=True)
def forget_servers_that_do_not_count() -> None:
    counting._counts_nothing.clear()


@pytest.fixture
def conversation(ada: User, ben: User) -> Conversation:
    """Ada's conversation, with Ben as a member."""
    conversation = turns.begin(ada)
    conversation.participants.create(user=ben, role=Participant.Role.MEMBER)
    return conversation


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(ProtocolName.ANTHROPIC) as running:
        yield running


@pytest.fixture(params=list(ProtocolName))
def either_server(request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    """A model server of each protocol in turn."""
    with ModelServer(request.param) as running:
        yield running


@pytest.fixture
def model(db: None, server: ModelServer) -> ChatModel:
    return provider_at(server)


@pytest.fixture
def either_model(db: None, either_server: ModelServer) -> ChatModel:
    return provider_at(either_server)


@pytest.fixture(scope="session")
def drawer_process() -> Iterator[Drawer]:
    with running() as drawer:
        yield drawer


@pytest.fixture
async def desk(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    drawer_process: Drawer,
) -> Desk:
    """Ada's desk, with a model behind the Messages API."""
    return Desk(await (await browser(ada)).open(conversation), conversation, model, server, drawer_process)


@pytest.fixture
async def either_desk(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
    drawer_process: Drawer,
) -> Desk:
    """Ada's desk, with a model behind each protocol in turn."""
    tab = await (await browser(ada)).open(conversation)
    return Desk(tab, conversation, either_model, either_server, drawer_process)


@pytest.fixture
async def browser(loop_left_clean: None) -> AsyncIterator[Opening]:
    """`await browser(ada)` is a browser in which Ada is signed in."""
    browsers: list[Browser] = []

    async def open_browser(person: User | None) -> Browser:
        browsers.append(await Browser.of(person) if person else Browser())
        return browsers[-1]

    yield open_browser
    for each in browsers:
        await each.close()


@pytest.fixture
async def loop_left_clean(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Gives the test its own replies and upkeep, and ends them afterwards. Failed calls are retried at once."""
    assert stream_reply.__kwdefaults__ is not None
    monkeypatch.setitem(stream_reply.__kwdefaults__, "limits", replace(LIMITS, **QUICK))
    monkeypatch.setattr(replies, "local", own := replies.Replies())
    monkeypatch.setattr(watch, "local", upkeep := watch.UpkeepLoop())
    yield
    upkeep.stop()
    await own.cut()
    left = list(tasks._running)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    # A cancelled task's query continues in its thread. The database must not be emptied meanwhile: Postgres would
    # report a deadlock.
    await asyncio.gather(sync_to_async(int)(), asyncio.to_thread(own.close_threads))
    await close_transport()
