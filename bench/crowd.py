"""Measures a crowd that writes in the same second: who is refused, how long people wait, and when answers begin.

    python -m bench.crowd [--people 200] [--rounds 3] [--held 0]

Each person has a session, a conversation and an open tab. Within a second, each page saves the typed text and posts the
turn, and each answer starts at once. With `--held`, another process locks the database for so many seconds from the
beginning. This takes about half a minute.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

from bench.load import Tab, Tally, listen
from bench.pages import Seeded
from bench.posting import new_poster
from bench.stand import Address, RunningSite, Stand
from bench.upstream import Plan

SHORT: Final = Plan("paragraphs", 20, 20, 1)
"""A second of text, of which every token is a stamp."""
WITHIN: Final = 1.0
"""Seconds in which everybody posts."""
LOCK: Final = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


class Person:
    """A person with an open tab. Records the statuses and the ms of the requests, and when the answer began."""

    def __init__(self, port: int, who: Seeded) -> None:
        self.address, self.who = Address(port, who.session), who
        self.statuses: list[int] = []
        self.posted = self.begun = float("nan")

    async def open(self) -> None:
        self.tab: Tab = await listen(self.address, self.who.conversation, Tally(time.monotonic()))

    async def write(self, chat_model: int, pause: float) -> None:
        await asyncio.sleep(pause)
        key, conversation = str(uuid4()), f"/conversations/{self.who.conversation}"
        await self._send(f"{conversation}/unsent/", text="How much?", key=key)
        self.tab.has_stamp.clear()
        began = time.perf_counter()
        if await self._send(f"{conversation}/turns/", text="How much?", chat_model=chat_model, key=key) != 201:
            return
        self.posted = (time.perf_counter() - began) * 1e3
        await asyncio.wait_for(self.tab.has_stamp.wait(), 60)
        self.begun = (time.perf_counter() - began) * 1e3

    async def _send(self, path: str, **fields: str | int) -> int:
        body = urlencode(fields)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.address.port)
        writer.write(
            (
                f"POST {path} HTTP/1.1\r\n{self.address.headers}x-csrftoken: {self.address.cookies['csrftoken']}\r\n"
                f"hx-request: true\r\ncontent-type: application/x-www-form-urlencoded\r\n"
                f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n{body}"
            ).encode()
        )
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        status = int(answer.split(b" ", 2)[1])
        self.statuses.append(status)
        return status


async def measure(served: RunningSite, people: list[Seeded], chat_model: int) -> list[Person]:
    crowd = [Person(served.address.port, who) for who in people]
    for person in crowd:
        await person.open()
    step = WITHIN / len(crowd)
    await asyncio.gather(*(person.write(chat_model, number * step) for number, person in enumerate(crowd)))
    # The answers end before the next round begins.
    await asyncio.sleep(3)
    for person in crowd:
        person.tab.transport.close()
    return crowd


@contextmanager
def locked(database: str, seconds: float) -> Iterator[None]:
    """Another process holds the database's only write lock."""
    if not seconds:
        yield
        return
    command = [sys.executable, "-c", LOCK, database, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "locked\n"
        yield


def show(crowd: list[Person]) -> None:
    statuses = Counter(status for person in crowd for status in person.statuses)
    print(f"{len(crowd)} people, statuses {dict(statuses)}; ", end="")
    for name, times in (
        ("posted", [person.posted for person in crowd if person.posted == person.posted]),
        ("answer begun", [person.begun for person in crowd if person.begun == person.begun]),
    ):
        ordered = sorted(times)
        p95 = ordered[int(len(ordered) * 0.95)] if ordered else float("nan")
        print(f"{name}: p50 {median(ordered):.0f} ms, p95 {p95:.0f} ms, last {ordered[-1]:.0f} ms; ", end="")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--held", type=float, default=0)
    options = parser.parse_args()
    with Stand() as stand:
        chat_model = stand.create_model(SHORT)
        people = [new_poster(stand, number) for number in range(options.people)]
        with stand.serve() as served:
            for _ in range(options.rounds):
                with locked(str(stand.directory / "db.sqlite3"), options.held):
                    show(asyncio.run(measure(served, people, chat_model)))


if __name__ == "__main__":
    main()
