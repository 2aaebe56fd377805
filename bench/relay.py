"""Measures the cost and latency of running answers, including rendering and saving: with many streams, at the maximum
of one process, and with many viewers of one stream.

    python -m bench.relay [--servers daphne uvicorn] [--streams 1 50 200] [--viewers 1 10 50] [--seconds 8]

The server has a core of its own. The upstream and the tabs have the others. This takes about four minutes per server.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.load import Tab, Tally, listen, speak
from bench.processes import CORES, LOAD_CORES
from bench.stand import SERVERS, RunningSite, Stand
from bench.upstream import LONGEST, Plan

SETTLING: Final = 2.0
"""Seconds between the last stream's first token and the start of the measurement."""
SECONDS_TO_ASK: Final = 0.06
"""The most seconds that posting one turn takes."""
PATIENCE: Final = 60.0
LATEST: Final = 250.0
"""Milliseconds. A relay with a higher p99 is overloaded."""
STEP: Final = 1.25
MOST: Final = 1000
"""Streams at which the search for the maximum ends."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement: latencies in ms, CPU in µs per delivered token, memory in MB, shares of a core."""

    streams: int
    viewers: int
    rate: int
    p50: float
    p99: float
    tokens_per_second: float
    cpu: float
    core: float
    load: float
    idle: float
    per_stream: float
    frames_per_second: float

    @property
    def keeps_up(self) -> bool:
        return self.p99 <= LATEST and self.tokens_per_second > 0.95 * self.streams * self.viewers * self.rate

    @property
    def row(self) -> str:
        return (
            f"{self.streams:7} {self.viewers:7} {self.p50:8.1f} {self.p99:8.1f} {self.tokens_per_second:9.0f} "
            f"{self.cpu:9.1f} {self.core:7.0%} {self.load:7.0%} {self.frames_per_second:9.1f} "
            f"{self.idle:8.1f} {self.per_stream:10.2f}"
        )


HEAD: Final = (
    f"{'streams':>7} {'viewers':>7} {'p50, ms':>8} {'p99, ms':>8} {'tokens/s':>9} {'µs/token':>9} {'server':>7} "
    f"{'load':>7} {'frames/s':>9} {'idle, MB':>8} {'MB/stream':>10}"
)


def measure(stand: Stand, server: str, plan: Plan, *, streams: int, viewers: int = 1, seconds: float) -> Figures:
    """Starts the site, runs the streams with `viewers` tabs each, and measures for `seconds`."""
    # All turns are posted before the first answer begins, because a busy server would accept them more and more slowly.
    plan = replace(plan, delay=1 + round(streams * SECONDS_TO_ASK))
    conversations, chat_model = stand.create_conversations(streams), stand.create_model(plan)
    with stand.serve(server) as site:
        return asyncio.run(watch(stand, [site], [site] * viewers, plan, conversations, chat_model, seconds))


async def watch(
    stand: Stand,
    sites: Sequence[RunningSite],
    viewed: Sequence[RunningSite],
    plan: Plan,
    conversations: list[int],
    chat_model: int,
    seconds: float,
) -> Figures:
    """Posts a turn per conversation at the first of the processes. Each answer has a tab at each of `viewed`."""
    streams, viewers, tally = len(conversations), len(viewed), Tally(stand.epoch)
    processes = [site.process for site in sites]
    idle = sum(process.memory() for process in processes)
    tabs: list[Tab] = []
    for pk in conversations:
        tabs += [await listen(site.address, pk, tally) for site in viewed]
    await speak(sites[0].address, conversations, chat_model)
    await asyncio.wait_for(asyncio.gather(*(tab.has_stamp.wait() for tab in tabs)), PATIENCE)
    await asyncio.sleep(SETTLING)

    tally.reset()
    began, cpu, load = time.monotonic(), sum(process.cpu() for process in processes), load_cpu(stand)
    await asyncio.sleep(seconds)
    took, load = time.monotonic() - began, load_cpu(stand) - load
    cpu = sum(process.cpu() for process in processes) - cpu
    if any(tab.is_closed for tab in tabs):
        logs = "\n".join(process.log.read_text()[-2000:] for process in processes)
        raise RuntimeError(f"the server closed a tab:\n{logs}")
    tokens = tally.stamps * plan.stamped
    return Figures(
        streams=streams,
        viewers=viewers,
        rate=plan.rate,
        p50=tally.latency(50),
        p99=tally.latency(99),
        tokens_per_second=tokens / took,
        cpu=cpu / max(tokens, 1) * 1e6,
        core=cpu / took,
        load=load / took / len(LOAD_CORES),
        idle=idle,
        per_stream=(sum(process.memory() for process in processes) - idle) / streams,
        frames_per_second=tally.frames / took / len(tabs),
    )


def load_cpu(stand: Stand) -> float:
    return time.process_time() + stand.upstream.cpu()


def find_most(stand: Stand, server: str, plan: Plan, known: list[Figures], seconds: float) -> Figures | None:
    """Searches for the most streams that one process keeps up with, starting from the known figures."""
    best = max((figures for figures in known if figures.keeps_up), key=lambda each: each.streams, default=None)
    failed = min((figures.streams for figures in known if not figures.keeps_up), default=MOST)
    streams = round((best.streams if best else failed / STEP**2) * STEP)
    while 1 <= streams < failed:
        figures = measure(stand, server, plan, streams=streams, seconds=seconds)
        print(figures.row, flush=True)
        if figures.keeps_up:
            best, streams = figures, round(streams * STEP)
        elif best:
            break
        else:
            failed, streams = streams, round(streams / STEP)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument("--streams", nargs="*", type=int, default=[1, 50, 200])
    parser.add_argument("--viewers", nargs="*", type=int, default=[1, 10, 50])
    parser.add_argument("--rate", type=int, default=50, help="tokens per second of each stream")
    parser.add_argument("--shape", default="mixed", help="shape of the answers")
    parser.add_argument("--seconds", type=float, default=8.0, help="duration of each measurement")
    parser.add_argument("--no-most", action="store_true", help="skip the search for the maximum of one process")
    options = parser.parse_args()
    plan = Plan(options.shape, LONGEST, options.rate)
    with Stand() as stand:
        if len(CORES) == 1:
            print("This machine has only one core, so the server and the load share it.")
        for server in options.servers:
            print(f"\n{server}, {options.rate} tokens per second in each stream, {options.shape}\n{HEAD}", flush=True)
            known = []
            for streams in options.streams:
                known.append(measure(stand, server, plan, streams=streams, seconds=options.seconds))
                print(known[-1].row, flush=True)
            if not options.no_most and (best := find_most(stand, server, plan, known, options.seconds)):
                print(f"maximum with p99 under {LATEST:.0f} ms: {best.tokens_per_second:.0f} tokens per second")
            print("one stream, µs per token delivered to a viewer" if options.viewers else "")
            for viewers in options.viewers:
                print(measure(stand, server, plan, streams=1, viewers=viewers, seconds=options.seconds).row, flush=True)


if __name__ == "__main__":
    main()
