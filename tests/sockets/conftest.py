"""The site in its own process, with Ada's conversation, and raw sockets to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.browser.backstage import Backstage, Person
from tests.browser.site import ADMINISTRATOR, PASSWORD, Site
from tests.sockets.wire import SocketWire

type OpenSocket = Callable[..., SocketWire]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    named = {"DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    with Site(tmp_path_factory.mktemp("site"), **named) as site:
        yield site


@pytest.fixture(scope="module")
def backstage(site: Site) -> Iterator[Backstage]:
    with Backstage(site) as backstage:
        yield backstage


@pytest.fixture(scope="module")
def ada(backstage: Backstage) -> Person:
    return backstage.person("Ada Lovelace")


@pytest.fixture(scope="module")
def conversation(backstage: Backstage, ada: Person) -> str:
    """The address of Ada's conversation."""
    return backstage.conversation(ada, "Words", ["Hello"], ["Hello."])


@pytest.fixture
def open_socket(site: Site, ada: Person, conversation: str) -> Iterator[OpenSocket]:
    """`open_socket()` is an open socket of Ada's on the conversation."""
    with ExitStack() as opened:

        def open_one(path: str = f"/ws{conversation}") -> SocketWire:
            wire = opened.enter_context(SocketWire(site.port))
            wire.ask(path, f"cookie: sessionid={ada.session}")
            assert wire.read_head()[0] == 101
            return wire

        yield open_one
