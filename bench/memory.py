"""Measures whether the site gives memory back: resident megabytes at rest, under load, and some time after it.

    python -m bench.memory [--streams 200] [--seconds 60] [--answers 2000] [--rest 40]

One load is many long answers at once, the other many short ones. This takes about six minutes.
"""

import argparse
import asyncio
from dataclasses import dataclass
from typing import Final

from bench.load import Tab, Tally, listen, speak
from bench.stand import RunningSite, Stand
from bench.upstream import Plan

RATE: Final = 50
SHORT: Final = Plan("mixed", 60, 200)
AT_ONCE: Final = 50
"""Short answers that run at the same time."""
PATIENCE: Final = 120.0


async def answer_all(served: RunningSite, conversations: list[int], chat_model: int, tally: Tally) -> list[Tab]:
    """Runs an answer in each conversation, with one tab that reads it to its end. Returns the open tabs."""
    tabs = [await listen(served.address, pk, tally) for pk in conversations]
    await speak(served.address, conversations, chat_model)
    await asyncio.wait_for(asyncio.gather(*(tab.is_complete.wait() for tab in tabs)), PATIENCE)
    return tabs


def close(tabs: list[Tab]) -> None:
    for tab in tabs:
        tab.transport.close()


@dataclass(frozen=True, slots=True)
class Load:
    """Answers in batches of conversations. Those of one batch run at the same time, one in each conversation."""

    name: str
    chat_model: int
    batches: list[list[int]]


async def measure(stand: Stand, served: RunningSite, first: Load, loads: list[Load], rest: float) -> None:
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=200, help="long answers at once")
    parser.add_argument("--seconds", type=int, default=60, help="duration of a long answer")
    parser.add_argument("--answers", type=int, default=2000, help="short answers")
    parser.add_argument("--rest", type=float, default=40.0, help="seconds without load before a figure is taken")
    options = parser.parse_args()
    long = Plan("mixed", RATE * options.seconds, RATE, delay=1 + options.streams // 20)
    with Stand() as stand:
        short = stand.create_model(SHORT)
        # The first answer loads what all others use.
        first = Load("the first answer", short, [stand.create_conversations(1)])
        loads = [
            Load(
                f"{options.streams} answers of {options.seconds} s",
                stand.create_model(long),
                [stand.create_conversations(options.streams)],
            )
        ]
        batches = [stand.create_conversations(AT_ONCE) for _ in range(0, options.answers, AT_ONCE)]
        for half in (batches[: len(batches) // 2], batches[len(batches) // 2 :]):
            loads.append(Load(f"{len(half) * AT_ONCE} short answers", short, half))
        print(f"{'resident':44} {'MB':>8}")
        with stand.serve() as served:
            asyncio.run(measure(stand, served, first, loads, options.rest))


if __name__ == "__main__":
    main()
