"""Programs that read slowly or not at all, and the site's own shutdown."""

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.serving import calls, outgoing, running
from tests.fakes import ModelServer
from tests.gateway.serving.asking import raw
from tests.gateway.serving.programs import PATIENCE, Programs, asks
from tests.steps import Gate
from tests.wires import messages_event, reply_wire

SIZE = 64_000
LONG = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * SIZE}}


class Counter(Gate):
    """A gate that is always open and counts what was read from the upstream."""

    count = 0

    async def wait(self) -> None:
        self.count += 1

    def until_still(self) -> None:
        """Waits until nothing was read for a while."""
        seen = -1
        while seen != self.count:
            seen = self.count
            time.sleep(0.5)


def test_a_slow_reader_slows_the_upstream(
    programs: Programs, messages: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing on the way buffers what the program does not read, and nothing is lost."""
    count = 400
    start, opened, *_, closed, ended, stopped = reply_wire(messages.protocol, ["-"])
    taken = Counter()
    pieces = [step for _ in range(count) for step in (messages_event(LONG), taken)]
    messages.stream(start, opened, *pieces, closed, ended, stopped)
    monkeypatch.setattr(calls, "PROGRAM_LIMITS", replace(calls.PROGRAM_LIMITS, text_size=2 * count * SIZE))
    reader, answer = raw(programs, messages.protocol, asks(messages.protocol), window=4096)
    with reader:
        taken.until_still()
        assert taken.count < count
        answer.begin()
        said = answer.read()
    assert said.count(b"x" * SIZE) == count and said.endswith(b'"message_stop"}\n\n')
    assert programs.settled().outcome == "complete"


def test_a_program_that_reads_nothing_is_disconnected(
    programs: Programs, messages: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "KEEP_ALIVE", 0.1)
    monkeypatch.setattr(outgoing, "PATIENCE", 0.3)
    monkeypatch.setattr(calls, "PROGRAM_LIMITS", replace(calls.PROGRAM_LIMITS, text_size=1000 * SIZE))
    start, opened, *_ = reply_wire(messages.protocol, ["-"])
    messages.stream(start, opened, *[messages_event(LONG)] * 500)
    reader, _ = raw(programs, messages.protocol, asks(messages.protocol), window=4096)
    with reader:
        assert messages.disconnected.wait(PATIENCE)
        assert programs.settled().outcome == "stopped"


@pytest.mark.usefixtures("own_calls")
def test_a_stopping_site_lets_running_replies_end(
    programs: Programs, messages: ModelServer, site_loop: asyncio.AbstractEventLoop
) -> None:
    gate = Gate()
    *begun, last = reply_wire(messages.protocol, ["Hello"])
    messages.stream(*begun, gate, last)
    reader, answer = raw(programs, messages.protocol, asks(messages.protocol))
    with reader:
        answer.begin()
        stopping = asyncio.run_coroutine_threadsafe(running.local.close(), site_loop)
        with pytest.raises(TimeoutError):
            stopping.result(0.1)
        stopping = asyncio.run_coroutine_threadsafe(running.local.close(), site_loop)
        gate.open()
        assert answer.read().endswith(b'"message_stop"}\n\n')
        stopping.result(PATIENCE)
    assert programs.settled().outcome == "complete"
