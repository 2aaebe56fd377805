"""Measures the queries and the time to the first byte of pages with much data, and the start of the site.

    python -m bench.pages [--sizes 20/10 100/100 10000/10000]

A size is the messages of a conversation and the conversations of a person. A page shows forty of each, so more of them
must not cost more. Times are medians of sequential requests. This takes about a minute.
"""

import argparse
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final
from urllib.parse import quote

from bench.stand import Address, Stand

REQUESTS: Final = 30
WARM: Final = 5
CHUNK: Final = 500
TEXT: Final = (
    "The answer depends on **what you measure**, and on when: a cache that is warm hides most of it. Look at "
    "`time.perf_counter` first.\n\n- one item of a list\n- and another\n\n```python\nprint('hello')\n```\n"
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """A person with some conversations, one of which has some messages."""

    session: str
    conversation: int
    middle_message: int
    middle_place: str

    @property
    def paths(self) -> dict[str, str]:
        messages = f"/conversations/{self.conversation}/messages/"
        return {
            "first page": "/",
            "conversation": f"/conversations/{self.conversation}/",
            "older messages": f"{messages}?before={self.middle_message}",
            "more of the list": f"/conversations/?after={self.middle_place}",
        }


def seed(stand: Stand, messages: int, conversations: int) -> Seeded:
    """Creates a person with this many messages and conversations, in bulk. Each answer has its generation."""
    from django.db.models import F
    from django.utils.timezone import now

    from conversations.models import Conversation, Generation, Message, Participant, Role, State
    from conversations.verbs.turns import begin

    person, moment = stand.new_person(f"reader-{messages}-{conversations}"), now()
    read = begin(person, title="Conversation 0")
    others = Conversation.objects.bulk_create(
        [Conversation(title=f"Conversation {number}") for number in range(1, conversations)], batch_size=CHUNK
    )
    places = Participant.objects.bulk_create(
        [
            Participant(conversation=each, user=person, active_at=moment - timedelta(minutes=age))
            for age, each in enumerate(others)
        ],
        batch_size=CHUNK,
    )
    said = Message.objects.bulk_create(
        [
            Message(
                conversation=read,
                branch=read.branch,
                role=Role.ASSISTANT if number % 2 else Role.USER,
                author=None if number % 2 else person,
                blocks=[{"type": "text", "text": f"{number}. {TEXT}"}],
            )
            for number in range(messages)
        ],
        batch_size=CHUNK,
    )
    # The messages follow one another in their branch, and their keys are consecutive.
    read.messages.exclude(pk=said[0].pk).update(parent_id=F("pk") - 1)
    figures = {"state": State.COMPLETE, "model_name": "Model", "provider_name": "Replay", "output_tokens": 70}
    times = {"started_at": moment, "first_token_at": moment, "finished_at": moment}
    Generation.objects.bulk_create(
        [Generation(conversation=read, message=answer, **figures, **times) for answer in said[1::2]], batch_size=CHUNK
    )
    middle = places[len(places) // 2]
    place = quote(f"{middle.active_at.isoformat()}/{middle.pk}")
    return Seeded(stand.sign_in(person), read.pk, said[len(said) // 2].pk, place)


def count_queries(who: Seeded, path: str) -> int:
    """Counts the queries of a page in this process. A first request fills the caches."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"host": "127.0.0.1"})
    client.cookies["sessionid"] = who.session
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return len(captured)


def time_first_byte(address: Address, path: str) -> float:
    """Returns the ms from a request, on a new connection, to the first byte of its answer."""
    with socket.create_connection(("127.0.0.1", address.port), 30) as connection:
        began = time.perf_counter()
        connection.sendall(f"GET {path} HTTP/1.1\r\n{address.headers}connection: close\r\n\r\n".encode())
        status = connection.recv(65536)
        took = (time.perf_counter() - began) * 1e3
        while connection.recv(65536):
            pass
    if not status.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{path} answered {status[:100]!r}")
    return took


def measure_starts(stand: Stand) -> None:
    """Starts the site twice. The first start creates the database and the static files, as on a new machine."""
    fresh = stand.directory / "fresh"
    own = {"DATA_DIR": str(fresh), "DATABASE_URL": f"sqlite:///{fresh / 'db.sqlite3'}"}
    for name in ("first", "second"):
        with stand.serve(**own) as served:
            time.sleep(1)
            memory = served.process.memory()
        print(
            f"{name:>6} start: {served.seconds_to_start:5.2f} s to the first answer, {memory:6.1f} MB idle", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["20/10", "100/100", "10000/10000"])
    options = parser.parse_args()
    with Stand() as stand:
        measure_starts(stand)
        people = [seed(stand, *map(int, size.split("/"))) for size in options.sizes]
        print(f"\n{'':18}" + "".join(f"{size:>22}" for size in options.sizes))
        print(f"{'':18}" + f"{'queries':>11}{'first byte':>11}" * len(people))
        with stand.serve() as served:
            for page in people[0].paths:
                # In turn, so that other work of the machine affects all alike.
                rounds = [
                    [time_first_byte(Address(served.address.port, who.session), who.paths[page]) for who in people]
                    for _ in range(WARM + REQUESTS)
                ]
                times = [median(each) for each in zip(*rounds[WARM:], strict=True)]
                cells = (
                    f"{count_queries(who, who.paths[page]):11}{took:8.1f} ms"
                    for who, took in zip(people, times, strict=True)
                )
                print(f"{page:18}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
