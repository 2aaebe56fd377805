"""Measures what several processes cost: tokens whose viewers are in the process that writes the answer, in another one,
and in both, against one process alone. All use PostgreSQL; the pairs share a Redis.

    python -m bench.cluster [--streams 50] [--viewers 200] [--seconds 8]

All web processes share one core. The upstream, the tabs, PostgreSQL and Redis have the others.
"""

import argparse
import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from bench.processes import CORES, LOAD_CORES
from bench.relay import HEAD, SECONDS_TO_ASK, Figures, watch
from bench.stand import Stand
from bench.upstream import LONGEST, Plan
from tests.postgres import PostgresServer
from tests.redis_server import RedisServer

WRITER, OTHER = 0, 1
ARRANGEMENTS: Final = {
    "one process, no Redis": (1, [WRITER]),
    "one process": (1, [WRITER]),
    "viewers with the writer": (2, [WRITER]),
    "viewers in the other process": (2, [OTHER]),
    "viewers in both": (2, [WRITER, OTHER]),
}


def measure(
    stand: Stand, redis_url: str, plan: Plan, *, processes: int, viewed: Sequence[int], streams: int, seconds: float
) -> Figures:
    """Runs the streams in the first process. Each has a tab at each process of `viewed`."""
    plan = replace(plan, delay=1 + round(streams * SECONDS_TO_ASK))
    conversations, chat_model = stand.create_conversations(streams), stand.create_model(plan)
    with ExitStack() as stack:
        sites = [
            stack.enter_context(stand.serve(REDIS_URL=redis_url, SERVE_ANSWERS=str(number == WRITER).lower()))
            for number in range(processes)
        ]
        places = [sites[number] for number in viewed]
        figures = asyncio.run(watch(stand, sites, places, plan, conversations, chat_model, seconds))
    end_answers()
    return figures


def end_answers() -> None:
    """Ends what the processes have handed over, so that the next ones do not go on with it."""
    from conversations.models import Generation, State

    Generation.objects.unfinished().update(state=State.INTERRUPTED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--viewers", type=int, default=200, help="tabs of one answer, half of them in each process")
    parser.add_argument("--rate", type=int, default=50, help="tokens per second of each stream")
    parser.add_argument("--shape", default="mixed", help="shape of the answers")
    parser.add_argument("--seconds", type=float, default=8.0, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=1, help="how often to measure everything in turn")
    options = parser.parse_args()
    plan = Plan(options.shape, LONGEST, options.rate)
    # What is started from here on runs beside the load.
    os.sched_setaffinity(0, LOAD_CORES)
    redis = RedisServer()
    try:
        with PostgresServer() as postgres, Stand(DATABASE_URL=postgres.create_database()) as stand:
            if len(CORES) == 1:
                print("This machine has only one core, so the servers and the load share it.")
            print(f"{options.rate} tokens per second in each stream, {options.shape}\n{HEAD}", flush=True)
            for _ in range(options.rounds):
                for name, (processes, viewed) in ARRANGEMENTS.items():
                    url = "" if "no Redis" in name else redis.url
                    figures = measure(
                        *(stand, url, plan),
                        **{"processes": processes, "viewed": viewed},
                        **{"streams": options.streams, "seconds": options.seconds},
                    )
                    print(f"{figures.row}  {name}", flush=True)
                half = [WRITER, OTHER] * (options.viewers // 2)
                figures = measure(stand, redis.url, plan, processes=2, viewed=half, streams=1, seconds=options.seconds)
                print(f"{figures.row}  one answer, viewers in both", flush=True)
    finally:
        redis.kill()


if __name__ == "__main__":
    main()
