"""Model servers for each protocol."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes import ModelServer
from upstreams import client
from upstreams.endpoint import ProtocolName


@pytest.fixture
async def fresh_client() -> AsyncIterator[None]:
    yield
    await client.close_transport()


@pytest.fixture(params=list(ProtocolName))
def server(request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    with ModelServer(request.param) as running:
        yield running


@pytest.fixture
def anthropic() -> Iterator[ModelServer]:
    with ModelServer(ProtocolName.ANTHROPIC) as running:
        yield running


@pytest.fixture
def openai() -> Iterator[ModelServer]:
    with ModelServer(ProtocolName.OPENAI) as running:
        yield running
