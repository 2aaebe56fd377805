"""A site that is killed or stopped in the middle of an answer keeps the answer's text."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.conversations.talking import actions_of
from tests.fakes import ModelServer
from tests.installation import PATIENCE, Installation

CRASHES = 20
PARTS = 4
"""The number of tests that share the crashes, so that they can run in parallel. All but the first are rare."""
PIECES = [f"word{number} " for number in range(400)]
WHOLE = "".join(PIECES)
BEHIND = 2.0
"""Seconds of text that a crash may lose: one between two saves, and a margin for a busy machine."""


class Speaker:
    """Releases pieces of the model's text at random intervals and records when."""

    def __init__(self, server: ModelServer, chance: random.Random) -> None:
        self.released_at: list[float] = []
        self._server, self._chance = server, chance
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _speak(self) -> None:
        while not self._is_over.wait(self._chance.uniform(0, 0.06)):
            self.released_at.append(time.monotonic())
            self._server.step()

    def length_before(self, moment: float) -> int:
        """The number of characters released before this time."""
        return len("".join(PIECES[: sum(at < moment for at in self.released_at)]))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer("anthropic") as running:
        running.say(*PIECES)
        yield running


@pytest.fixture
def installation(tmp_path: Path, server: ModelServer) -> Iterator[Installation]:
    with Installation(tmp_path, server) as running:
        yield running


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.rare) for part in range(1, PARTS))])
def test_a_killed_site_loses_at_most_about_a_second_of_text(
    installation: Installation, server: ModelServer, part: int
) -> None:
    chance = random.Random(20 + part)
    # Most crashes come early, where most can go wrong. One comes after several saves.
    moments = [chance.uniform(0, 0.9) if number else chance.uniform(2.8, 3.4) for number in range(CRASHES // PARTS)]
    for number, moment in enumerate(moments):
        server.hold()
        address = installation.ask()
        has_waiting = number % 2 == 0
        if has_waiting:
            installation.post(f"{address}turns/", text="And then?")
        with Speaker(server, chance) as speaker:
            time.sleep(moment)
            installation.end(signal.SIGKILL)
            killed_at = time.monotonic()
        server.release()
        installation.start()
        page = installation.until_settled(address)
        answer, *waited = page.messages[1::2]
        text = installation.text(address, answer)
        assert page.state(answer) == "interrupted", moment
        assert WHOLE.startswith(text), moment
        assert len(text) <= speaker.length_before(killed_at)
        assert len(text) >= speaker.length_before(killed_at - BEHIND), moment
        assert "Interrupted. The server stopped while writing this answer." in page.article(answer)
        assert "Retry" in actions_of(page, answer)
        assert ("Continue" in actions_of(page, answer)) == bool(text)
        assert len(waited) == has_waiting
        for message in waited:
            assert (page.state(message), installation.text(address, message)) == ("complete", WHOLE)
        if text and number == 0:
            continue_answer(installation, server, address, answer, text)


def continue_answer(installation: Installation, server: ModelServer, address: str, message: int, text: str) -> None:
    """Continues the interrupted answer and checks that it is complete."""
    server.forget()
    server.say(WHOLE[len(text.rstrip()) :])
    installation.post(f"{address}messages/{message}/continuations/")
    page = installation.until_settled(address)
    assert (page.state(message), installation.text(address, message)) == ("complete", WHOLE)
    server.forget()
    server.say(*PIECES)


def test_a_stopping_site_completes_an_answer_that_ends_soon(installation: Installation, server: ModelServer) -> None:
    server.hold()
    address = installation.ask()
    server.step(3)
    assert installation.site
    installation.site.process.send_signal(signal.SIGTERM)
    server.release()
    assert installation.site.process.wait(PATIENCE) == 0
    installation.start()
    page = installation.page(address)
    [_, answer] = page.messages
    assert (page.state(answer), installation.text(address, answer)) == ("complete", WHOLE)


def test_a_stopping_site_interrupts_a_long_answer_and_keeps_its_text(
    installation: Installation, server: ModelServer
) -> None:
    server.hold()
    address = installation.ask()
    installation.post(f"{address}turns/", text="And then?")
    server.step(40)
    assert installation.end(signal.SIGTERM) == 0
    server.release()
    installation.start()
    page = installation.until_settled(address)
    answer, waited = page.messages[1::2]
    assert (page.state(answer), installation.text(address, answer)) == ("interrupted", "".join(PIECES[:40]))
    assert {"Continue", "Retry"} <= actions_of(page, answer)
    # An answer that was still queued starts after the restart.
    assert (page.state(waited), installation.text(address, waited)) == ("complete", WHOLE)
    continue_answer(installation, server, address, answer, "".join(PIECES[:40]))
