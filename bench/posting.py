"""Measures the cost of posting a turn: queries, processor time, and how long people wait who post at the same time.

    python -m bench.posting [--posts 60] [--people 50] [--rounds 3]

Turns are posted as the page posts them. In the first row they queue behind a running answer, so the figures are of the
posts alone. In the others, each person has a conversation whose answer starts at once. The model server begins after
two seconds. This takes about half a minute.
"""

import argparse
import asyncio
import re
import time
from dataclasses import dataclass
from statistics import median
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

from bench.pages import Seeded, seed
from bench.stand import CSRF_TOKEN, Address, RunningSite, Stand
from bench.upstream import Plan

MESSAGES: Final = 100
CONVERSATIONS: Final = 20
WARM: Final = 5
ENDLESS: Final = Plan("paragraphs", 5000, 1, 0)
"""An answer that outlasts the measurement and costs almost nothing."""
SHORT: Final = Plan("paragraphs", 20, 1000, 0, 2)


@dataclass(frozen=True, slots=True)
class Poster:
    """A person with an open page and a connection that stays open."""

    who: Seeded
    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def at(cls, port: int, who: Seeded) -> "Poster":
        return cls(who, port, *await asyncio.open_connection("127.0.0.1", port))

    async def post(self, chat_model: int) -> float:
        """Posts a turn. Returns the ms until the response is complete."""
        body = urlencode(turn(chat_model))
        head = (
            f"POST {path(self.who)} HTTP/1.1\r\n{Address(self.port, self.who.session).headers}"
            f"x-csrftoken: {CSRF_TOKEN}\r\nhx-request: true\r\n"
            f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        self.writer.write(f"{head}{body}".encode())
        answer = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)
        if b" 201 " not in answer[:20]:
            raise RuntimeError(f"a turn was refused: {answer[:300]!r}")
        if length := re.search(rb"(?i)content-length: *([0-9]+)", answer):
            await self.reader.readexactly(int(length[1]))
        else:
            await self.reader.readuntil(b"0\r\n\r\n")
        return (time.perf_counter() - began) * 1e3


def path(who: Seeded) -> str:
    return f"/conversations/{who.conversation}/turns/"


def turn(chat_model: int) -> dict[str, str | int]:
    return {"text": "How much?", "chat_model": chat_model, "key": str(uuid4())}


def count_queries(who: Seeded, chat_model: int) -> int:
    """Counts the queries of one post in this process, which starts no answers."""
    from asgiref.sync import async_to_sync
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from conversations.answering import replies

    async_to_sync(replies.local.close)()
    client = Client(headers={"host": "127.0.0.1", "hx-request": "true"})
    client.cookies["sessionid"] = who.session
    with CaptureQueriesContext(connection) as captured:
        answer = client.post(path(who), turn(chat_model))
    if answer.status_code != 201:
        raise RuntimeError(f"a turn was refused: {answer.content[:300]!r}")
    return len(captured)


async def one_by_one(served: RunningSite, who: Seeded, chat_model: int, posts: int) -> tuple[list[float], float]:
    """Posts turns one after another. Returns the ms of each, and the ms of processor time per post."""
    poster = await Poster.at(served.address.port, who)
    for _ in range(WARM):
        await poster.post(chat_model)
    cpu = served.process.cpu()
    times = [await poster.post(chat_model) for _ in range(posts)]
    return times, (served.process.cpu() - cpu) / posts * 1e3


async def at_once(served: RunningSite, people: list[Seeded], chat_model: int) -> tuple[list[float], float]:
    """Returns the same figures for people who post at the same time, each in their own conversation."""
    posters = [await Poster.at(served.address.port, who) for who in people]
    cpu = served.process.cpu()
    times = await asyncio.gather(*(poster.post(chat_model) for poster in posters))
    spent = (served.process.cpu() - cpu) / len(people) * 1e3
    # The answers end before the next round begins.
    await asyncio.sleep(4)
    return times, spent


def show(name: str, times: list[float], cpu: float) -> None:
    print(f"{name:24}p50 {median(times):5.0f} ms, last {max(times):5.0f} ms, {cpu:5.1f} ms of a core each", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=60)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Stand() as stand:
        endless, short = stand.create_model(ENDLESS), stand.create_model(SHORT)
        speaker = seed(stand, MESSAGES, CONVERSATIONS)
        people = [new_poster(stand, number) for number in range(options.people)]
        with stand.serve() as served:
            show("one after another", *asyncio.run(one_by_one(served, speaker, endless, options.posts)))
            for _ in range(options.rounds):
                show(f"{options.people} at once", *asyncio.run(at_once(served, people, short)))
        print(f"{count_queries(speaker, endless)} queries")


def new_poster(stand: Stand, number: int) -> Seeded:
    from conversations.verbs.turns import begin

    person = stand.new_person(f"poster-{number}")
    return Seeded(stand.sign_in(person), begin(person, title="Measured").pk, 0, "")


if __name__ == "__main__":
    main()
