"""Whether the site gives memory back: resident megabytes at rest, under load, and some time after it.

    python -m bench.memory [--streams 200] [--seconds 60] [--answers 2000] [--rest 40]

One load is many long answers at once, the other many short ones. About four minutes.
"""

import argparse
import asyncio
from dataclasses import dataclass
from typing import Final

from bench.load import Tab, Tally, listen, speak
from bench.stand import Served, Stand
from bench.upstream import Plan

RATE: Final = 50
SHORT: Final = Plan("mixed", 60, 200)
AT_ONCE: Final = 50
"""Short answers."""
PATIENCE: Final = 120.0


async def answer_all(served: Served, conversations: list[int], chat_model: int, tally: Tally) -> list[Tab]:
    """One answer in each conversation, with one tab that sees it to its end; the tabs are still open."""
    tabs = [await listen(served.address, pk, tally) for pk in conversations]
    await speak(served.address, conversations, chat_model)
    await asyncio.wait_for(asyncio.gather(*(tab.is_complete.wait() for tab in tabs)), PATIENCE)
    return tabs


def close(tabs: list[Tab]) -> None:
    for tab in tabs:
        tab.transport.close()


@dataclass(frozen=True, slots=True)
class Load:
    """Answers that are written at once, one in each conversation, a batch of conversations after another."""

    name: str
    chat_model: int
    batches: list[list[int]]


async def measured(stand: Stand, served: Served, first: Load, loads: list[Load], rest: float) -> None:
    site, tally = served.process, Tally(stand.epoch)

    def report(moment: str) -> None:
        print(f"{moment:44} {site.memory():8.1f}", flush=True)

    report("started")
    for load in [first, *loads]:
        for conversations in load.batches:
            tabs = await answer_all(served, conversations, load.chat_model, tally)
            is_last = conversations is load.batches[-1]
            if is_last:
                report(f"{load.name} at their end")
            close(tabs)
        await asyncio.sleep(rest)
        report(f"{rest:.0f} s later")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streams", type=int, default=200, help="long answers at once")
    options.add_argument("--seconds", type=int, default=60, help="that a long answer lasts")
    options.add_argument("--answers", type=int, default=2000, help="short answers")
    options.add_argument("--rest", type=float, default=40.0, help="seconds without load before a figure is taken")
    asked = options.parse_args()
    long = Plan("mixed", RATE * asked.seconds, RATE, delay=1 + asked.streams // 20)
    with Stand() as stand:
        short = stand.model(SHORT)
        # The first answer loads what all others use.
        first = Load("the first answer", short, [stand.conversations(1)])
        loads = [
            Load(
                f"{asked.streams} answers of {asked.seconds} s", stand.model(long), [stand.conversations(asked.streams)]
            )
        ]
        batches = [stand.conversations(AT_ONCE) for _ in range(0, asked.answers, AT_ONCE)]
        for half in (batches[: len(batches) // 2], batches[len(batches) // 2 :]):
            loads.append(Load(f"{len(half) * AT_ONCE} short answers", short, half))
        print(f"{'resident':44} {'MB':>8}")
        with stand.served() as served:
            asyncio.run(measured(stand, served, first, loads, asked.rest))


if __name__ == "__main__":
    main()
