"""The site on a port of its own, in this process, for the official SDKs."""

import asyncio
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.test import override_settings

from gateway.serving import calls, running, threads
from tests.fakes import ModelServer
from tests.gateway.serving.programs import Programs
from upstreams.client import close_transport
from upstreams.endpoint import ProtocolName

PATIENCE = 30.0


@pytest.fixture(scope="session")
def port(django_db_setup: None) -> Iterator[int]:
    """The port of the real server, which runs from the first test that needs it to the end of the process."""
    # Only now: with it comes an event loop of its own.
    from daphne.server import reactor

    from chatsite.serving.server import Server

    ready = threading.Event()
    with override_settings(HOST="127.0.0.1", PORT=0):
        server = Server(ready_callable=ready.set, signal_handlers=False)
    thread = threading.Thread(target=server.run, name="site", daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield server.ports[0].getHost().port
    asyncio.run_coroutine_threadsafe(close_transport(), reactor._asyncioEventloop).result(PATIENCE)
    reactor.callFromThread(reactor.stop)
    thread.join(PATIENCE)
    threads.close()


@pytest.fixture
def site_loop(port: int) -> asyncio.AbstractEventLoop:
    """The site's."""
    from daphne.server import reactor

    served: asyncio.AbstractEventLoop = reactor._asyncioEventloop
    return served


@pytest.fixture
def own_calls(monkeypatch: pytest.MonkeyPatch) -> running.RunningCalls:
    """An owner of running calls for this test, which may close it."""
    monkeypatch.setattr(running, "local", own := running.RunningCalls())
    return own


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """No transaction around a test: the site's threads would not see its rows."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def programs(port: int, db: None) -> Iterator[Programs]:
    """Ada's programs, and models behind both protocols, for all tests of a module."""
    with Programs(port) as ours:
        yield ours


@pytest.fixture(params=list(ProtocolName))
def upstream(request: pytest.FixtureRequest, programs: Programs) -> ModelServer:
    """One upstream of each protocol, without answers yet."""
    return programs.fresh(request.param)


@pytest.fixture
def messages(programs: Programs) -> ModelServer:
    return programs.fresh(ProtocolName.ANTHROPIC)


@pytest.fixture
def chat(programs: Programs) -> ModelServer:
    return programs.fresh(ProtocolName.OPENAI)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides this machine's keys and addresses from the SDKs."""
    outside = re.compile(r"(.*_proxy|(ANTHROPIC|OPENAI)_.*)", re.IGNORECASE)
    for name in list(os.environ):
        if outside.fullmatch(name):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PROGRAM_LIMITS", replace(calls.PROGRAM_LIMITS, backoff=0.01))
