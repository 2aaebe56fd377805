"""Measures what the gateway adds to direct requests to the model server: the delay of the first token, the delay and
processor time of each token, requests per second, and the cost of booking.

    python -m bench.gateway [--streams 1 50 200] [--ways messages chat translated] [--seconds 6]

The server has a core of its own. The upstream and the clients have the others. This takes about two minutes.
"""

import argparse
import asyncio
import re
import statistics
import time
from array import array
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from bench.load import Tally
from bench.processes import LOAD_CORES
from bench.stand import RunningSite, Stand
from bench.upstream import LONGEST, Plan, count_tenths

SETTLING: Final = 1.5
_STAMP: Final = re.compile(rb"\bT([0-9a-f]{6,8})\b")
_END: Final = b"0\r\n\r\n"
UPSTREAM_PROTOCOLS: Final = {"messages": "anthropic", "chat": "openai", "translated": "openai"}
"""The protocol of the upstream. Programs speak Messages when it is translated."""


@dataclass(frozen=True, slots=True)
class Target:
    """The address and model of a client's requests."""

    port: int
    path: str
    model: str
    secret: str = "none"

    def request(self) -> bytes:
        fields = {"model": self.model, "max_tokens": 1000, "stream": True}
        body = orjson.dumps({**fields, "messages": [{"role": "user", "content": "How much?"}]})
        head = f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {self.secret}\r\n"
        head += "anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Client(asyncio.Protocol):
    """One connection that reads one stream after another. Each stamp shows its own latency."""

    def __init__(self, target: Target, tally: Tally) -> None:
        self.wire, self.tally = target.request(), tally
        self.loop = asyncio.get_running_loop()
        self.has_stamp = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or ConnectionError(f"closed: {self.last[:300]!r}"))

    def ask(self) -> "asyncio.Future[float]":
        """Sends the request. At the end of the stream, the result is the milliseconds to the first token."""
        self.over: asyncio.Future[float] = self.loop.create_future()
        self.asked_at, self.first, self.last = time.perf_counter(), 0.0, b""
        self.transport.write(self.wire)
        return self.over

    def data_received(self, data: bytes) -> None:
        now = count_tenths(self.tally.epoch)
        if not self.first and b'"index":0' in data.replace(b" ", b"") and b"text" in data:
            self.first = time.perf_counter()
        self.last = (self.last + data)[-400:]
        for found in _STAMP.findall(data):
            self.tally.latencies.append(now - int(found, 16))
            self.has_stamp.set()
        if self.last.endswith(_END):
            if b"message_stop" not in self.last and b"[DONE]" not in self.last:
                raise RuntimeError(f"the answer was incomplete: {self.last!r}")
            self.over.set_result(((self.first or time.perf_counter()) - self.asked_at) * 1000)


async def connect(target: Target, tally: Tally) -> Client:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(target, tally), "127.0.0.1", target.port)
    return client


# The first token


async def time_first_tokens(targets: list[Target], tally: Tally, times: int) -> list[list[float]]:
    """Returns the milliseconds to the first token for each target. The targets take turns, one request at a time."""
    clients = [await connect(target, tally) for target in targets]
    took: list[list[float]] = [[] for _ in targets]
    for turn in range(times + 10):
        for client, figures in zip(clients, took, strict=True):
            figure = await asyncio.wait_for(client.ask(), 30)
            if turn >= 10:
                figures.append(figure)
    for client in clients:
        client.transport.close()
    return took


async def measure_requests(target: Target, tally: Tally, served: RunningSite, at_once: int, seconds: float) -> str:
    """Requests short streams on `at_once` connections, as fast as they are answered. Returns a row of the table."""
    clients = [await connect(target, tally) for _ in range(at_once)]
    took = array("d")
    end = time.monotonic() + seconds

    async def repeat(client: Client) -> None:
        while time.monotonic() < end:
            began = time.perf_counter()
            await asyncio.wait_for(client.ask(), 60)
            took.append((time.perf_counter() - began) * 1000)

    cpu, began = served.process.cpu(), time.monotonic()
    await asyncio.gather(*map(repeat, clients))
    spent, cpu = time.monotonic() - began, served.process.cpu() - cpu
    ordered = sorted(took)
    return (
        f"{at_once:7} {len(took) / spent:10.0f} {ordered[len(ordered) // 2]:8.1f} "
        f"{ordered[len(ordered) * 99 // 100]:8.1f} {cpu / len(took) * 1000:11.2f}"
    )


# Each token


async def measure_streams(target: Target, stand: Stand, served: RunningSite | None, count: int, seconds: float) -> str:
    """Reads `count` streams at a steady pace. Returns a row with the latency and the cost of tokens."""
    tally = Tally(stand.epoch)
    idle = served.process.memory() if served else 0.0
    clients = [await connect(target, tally) for _ in range(count)]
    waiting = [client.ask() for client in clients]
    await asyncio.wait_for(asyncio.gather(*(client.has_stamp.wait() for client in clients)), 60)
    await asyncio.sleep(SETTLING)
    tally.reset()
    began, cpu, load = time.monotonic(), served.process.cpu() if served else 0.0, load_cpu(stand)
    await asyncio.sleep(seconds)
    took, load = time.monotonic() - began, load_cpu(stand) - load
    cpu = served.process.cpu() - cpu if served else 0.0
    tokens = tally.stamps * 5
    memory = (served.process.memory() - idle) / count if served else 0.0
    for client, over in zip(clients, waiting, strict=True):
        over.cancel()
        client.transport.abort()
    return (
        f"{count:7} {tally.latency(50):8.1f} {tally.latency(99):8.1f} {tokens / took:9.0f} "
        f"{cpu / max(tokens, 1) * 1e6:9.1f} {cpu / took:7.0%} {load / took / len(LOAD_CORES):7.0%} {memory:10.2f}"
    )


def load_cpu(stand: Stand) -> float:
    return time.process_time() + stand.upstream.cpu()


def time_booking(stand: Stand, times: int = 300) -> str:
    """Returns the milliseconds of beginning and of settling one call, without the gateway."""
    from ledger.booking import entries
    from ledger.booking.meter import Meter
    from upstreams.models import ChatModel

    model = ChatModel.objects.select_related("provider").first()
    assert model
    begun, settled = [], []
    for number in range(times):
        caller = entries.Caller(stand.person, entries.CallSource.GATEWAY, f"req_{number}")
        began = time.perf_counter()
        entry = entries.begin(caller, model, prompt_tokens=10, max_tokens=100)
        between = time.perf_counter()
        entries.settle(entry, Meter(10), entries.Outcome.COMPLETE)
        begun.append((between - began) * 1000)
        settled.append((time.perf_counter() - between) * 1000)
    return f"begin {statistics.median(begun):.2f} ms, settle {statistics.median(settled):.2f} ms"


def create_key(stand: Stand) -> str:
    from accounts.keys import ApiKey

    key = ApiKey(person=stand.person, name="Measured")
    secret = key.renew_secret()
    key.save()
    return secret


def make_targets(stand: Stand, way: str, plan: Plan, port: int, secret: str) -> tuple[Target, Target]:
    """Returns the upstream itself, and the gateway in front of it."""
    from upstreams.models import ChatModel, Provider

    protocol = UPSTREAM_PROTOCOLS[way]
    there = stand.provider.base_url + ("/v1" if protocol == "openai" else "")
    provider, _ = Provider.objects.get_or_create(name=f"Gateway {protocol}", protocol=protocol, base_url=there)
    # Gives the model a unique name, so that the gateway finds it with one query.
    plan = replace(plan, count=plan.count - (protocol == "openai"))
    ChatModel.objects.get_or_create(provider=provider, model_id=plan.model_id)
    ours = "/v1/chat/completions" if way == "chat" else "/v1/messages"
    theirs = "/v1/chat/completions" if protocol == "openai" else "/v1/messages"
    upstream_port = int(stand.provider.base_url.rpartition(":")[2])
    return Target(upstream_port, theirs, plan.model_id), Target(port, ours, plan.model_id, secret)


def measure(stand: Stand, way: str, options: argparse.Namespace) -> None:
    secret = create_key(stand)
    with stand.serve() as served:
        port, tally = served.address.port, Tally(stand.epoch)
        short = make_targets(stand, way, Plan("paragraphs", 11, 10_000, 0), port, secret)
        direct, ours = asyncio.run(time_first_tokens(list(short), tally, options.times))
        figures = [f"{percentile(ours, at) - percentile(direct, at):.1f} ms at p{at}" for at in (10, 50, 99)]
        print(f"\n{way}: the first token comes later by {', '.join(figures)}")
        print(f"{'at once':>7} {'requests/s':>10} {'p50, ms':>8} {'p99, ms':>8} {'ms/request':>11}", flush=True)
        for at_once in (1, 20):
            print(asyncio.run(measure_requests(short[1], tally, served, at_once, options.seconds)), flush=True)
        print(f"{'streams':>7} {'p50, ms':>8} {'p99, ms':>8} {'tokens/s':>9} {'µs/token':>9} {'server':>7}", end=" ")
        print(f"{'load':>7} {'MB/stream':>10}")
        for count in options.streams:
            long = make_targets(stand, way, Plan("paragraphs", LONGEST, options.rate), port, secret)
            print(asyncio.run(measure_streams(long[0], stand, None, count, options.seconds)), " directly", flush=True)
            print(asyncio.run(measure_streams(long[1], stand, served, count, options.seconds)), flush=True)


def percentile(figures: list[float], percent: int) -> float:
    return sorted(figures)[len(figures) * percent // 100]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=UPSTREAM_PROTOCOLS, default=list(UPSTREAM_PROTOCOLS))
    parser.add_argument("--streams", nargs="*", type=int, default=[1, 50, 200])
    parser.add_argument("--rate", type=int, default=50, help="tokens per second of each stream")
    parser.add_argument("--seconds", type=float, default=6.0, help="duration of each measurement")
    parser.add_argument("--times", type=int, default=200, help="number of requests that time the first token")
    options = parser.parse_args()
    with Stand() as stand:
        for way in options.ways:
            measure(stand, way, options)
        print(f"\nbooking alone: {time_booking(stand)}")


if __name__ == "__main__":
    main()
