"""Measures how soon all open tabs are connected again after a restart of the site.

    python -m bench.reconnecting [--tabs 400] [--people 20] [--missed 10] [--rounds 3]

Each person has a conversation with 40 messages, and each tab misses the last ones. The tabs connect, the site gets
SIGTERM and starts again, and the tabs come back: first as pages do, with random pauses, and then all in the same
moment, with the first attempt once the site answers. Like pages, tabs load the list of conversations after they
reconnect. This takes about two minutes.
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bench.load import Tab, Tally, listen
from bench.pages import seed
from bench.stand import Address, RunningSite, Stand, free_port

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 2.0
SPREAD: Final = 3.0
"""Seconds, as in static/js/socket.js and connection.js."""
PATIENCE: Final = 10.0
GIVE_UP: Final = 120.0
MESSAGES: Final = 40


@dataclass
class Page:
    """A tab that connects again when it loses its connection."""

    address: Address
    conversation: int
    tally: Tally
    attempts: Counter[str]
    tab: Tab | None = None
    connected_at: float = 0.0

    async def connect(self, *, at_once: bool) -> None:
        """Tries until the tab is connected. Counts how the attempts ended."""
        refusals = 1
        while True:
            if not (at_once and refusals == 1):
                await asyncio.sleep(random.random() * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (refusals - 1)))
            try:
                self.tab = await asyncio.wait_for(listen(self.address, self.conversation, self.tally), PATIENCE)
            except TimeoutError:
                self.attempts["without an answer"] += 1
            except ConnectionRefusedError:
                self.attempts["while it was down"] += 1
            except OSError as error:
                self.attempts["dropped" if "b''" in str(error) else "refused"] += 1
            else:
                self.connected_at = time.monotonic()
                return
            refusals += 1

    async def load_list(self) -> None:
        await asyncio.sleep(SPREAD * random.random())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.address.port)
        writer.write(f"GET /conversations/ HTTP/1.1\r\n{self.address.headers}connection: close\r\n\r\n".encode())
        answer = await reader.read()
        if b" 200 " not in answer[:20]:
            raise RuntimeError(f"the list was refused: {answer[:300]!r}")
        writer.close()

    async def come_back(self, *, at_once: bool) -> None:
        await self.connect(at_once=at_once)
        await self.load_list()


def settle(stand: Stand, port: int, tabs: int, people: int, missed: int) -> list[Page]:
    """Creates the people with their conversations and sessions. Returns their pages, which miss some messages."""
    from django.db.models import F

    from conversations.models import Conversation

    pages: list[Page] = []
    tally, attempts = Tally(stand.epoch), Counter[str]()
    for number in range(people):
        person = seed(stand, MESSAGES, 10 + number)
        messages = Conversation.objects.get(pk=person.conversation).messages.order_by("-pk")[:missed]
        Conversation.objects.filter(pk=person.conversation).update(revision=F("revision") + 1)
        for message in messages:
            message.revision = message.shown_since = 1
            message.save(update_fields=["revision", "shown_since"])
        address = Address(port, person.session)
        pages += [Page(address, person.conversation, tally, attempts) for _ in range(number, tabs, people)]
    return pages


@asynccontextmanager
async def served(stand: Stand, port: int) -> AsyncIterator[RunningSite]:
    """Starts and stops the site in a thread, so that tabs can try to connect meanwhile."""
    site = stand.serve(port=port)
    yield await asyncio.to_thread(site.__enter__)
    await asyncio.to_thread(site.__exit__, None, None, None)


async def restart(stand: Stand, port: int, pages: list[Page], *, at_once: bool) -> None:
    """Prints a row: the seconds from the site's first answer until the first, half and all of the tabs are back."""
    async with served(stand, port):
        await asyncio.gather(*(page.connect(at_once=False) for page in pages))
    attempts = pages[0].attempts
    attempts.clear()
    coming: list[asyncio.Future[None]] = []
    if not at_once:
        coming = [asyncio.ensure_future(page.come_back(at_once=False)) for page in pages]
    async with served(stand, port) as site:
        began, cpu = time.monotonic(), site.process.cpu()
        if at_once:
            coming = [asyncio.ensure_future(page.come_back(at_once=True)) for page in pages]
        await asyncio.wait_for(asyncio.gather(*coming), GIVE_UP)
        spent = (site.process.cpu() - cpu) * 1e3 / len(pages)
        after = sorted(max(0.0, page.connected_at - began) for page in pages)
        columns = f"{after[0]:8.1f} {after[len(after) // 2]:8.1f} {after[-1]:8.1f} {spent:8.1f}"
        failed = ", ".join(f"{count} {how}" for how, count in sorted(attempts.items()))
        print(f"{'at once' if at_once else 'as pages':10} {columns}   {failed or 'none'}", flush=True)
        if errors := [line for line in site.process.log.read_text().splitlines() if "ERROR" in line]:
            print(f"  {len(errors)} errors in the log, the first: {errors[0][:120]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabs", type=int, default=400)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--missed", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Stand() as stand:
        port = free_port()
        pages = settle(stand, port, options.tabs, options.people, options.missed)
        print(f"{options.tabs} tabs of {options.people} people; seconds until they are connected")
        print(f"{'':10} {'first':>8} {'half':>8} {'all':>8} {'ms/tab':>8}   attempts that failed")
        for _ in range(options.rounds):
            for at_once in (False, True):
                asyncio.run(restart(stand, port, pages, at_once=at_once))


if __name__ == "__main__":
    main()
